"""What a process owes the operating system, whatever it does: its signals, and its first three descriptors.

Nothing here imports anything that takes time: it runs before everything else of the program.
"""
