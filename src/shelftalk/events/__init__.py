"""Events that come in: their structs, the door they pass, and adapters for what shops already emit."""
