"""What `millrace run` puts before the first line of a program: the SDK, and every installed instrumentation."""
