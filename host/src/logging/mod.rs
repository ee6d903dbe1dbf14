//! Where log records go: a file of JSON lines for programs, stderr for people.
