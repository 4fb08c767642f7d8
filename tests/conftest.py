"""What every test starts from: a process that Ctrl-C can interrupt."""

import signal

# A shell ignores SIGINT in jobs it starts in the background, and children inherit that: there, commands under test
# could not be interrupted, neither on a developer's machine nor in continuous integration.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
