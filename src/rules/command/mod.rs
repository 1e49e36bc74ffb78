//! The command line: what the shell and the operator make of it.
