"""The browser page of the sandbox's DMP, `/dmp/`: read only, on the loopback, without a script.

Pages are trees of elements, never strings: what a document or a request holds cannot become markup.
"""
