"""Floor 6: one function per verb. The command line, the web page and Python call the same ones."""
