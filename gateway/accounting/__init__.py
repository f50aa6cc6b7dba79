"""Usage for invoices: what each key, organisation and route has used by day is counted, kept in Redis, and reported.

    counts.py      what the calls of this process have used since the last collection
    owed.py        what Redis has not accepted yet, in batches that are counted once however often they are sent
    journal.py     the same in memory that outlives the process
    writer.py      the task of a worker that collects and sends
    storage.py     the names and the format in Redis, and the command that adds a batch (add_usage.lua)
    query.py       which usage is asked for: a period, filters, and by what it is grouped
    statement.py   reads Redis, and sums up what was asked for

The reports about limits, which say what a caller may still do, are in gateway/usage.
"""
