"""The demo: a shop with a crowd in it, played through a real broker to a real worker, watched and checked."""
