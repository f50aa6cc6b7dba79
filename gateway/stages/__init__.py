"""The stages of a request, one module each, which know nothing of one another: `pipeline.py` calls them in their order.

identify > limit > prepare > (the upstream, or tell) > normalize > dress > settle > record, and refuse for what fails on the way
"""
