"""The commands, one module each; `shelftalk.cli` loads only the one that was asked for."""
