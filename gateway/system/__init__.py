"""The interface to the operating system: signals, descriptors, processes, threads, memory, systemd.

`signals` and `stdio` import nothing that takes time: they run before the rest of the program is imported.
"""
