"""What the operating system gives: paths, private files, standard output, and the end of a process."""
