"""The parts of settings: where they are read, their shape, their mistakes, what comes of them."""
