"""How any source of this kind runs: the same folder, byte for byte, in every connector of this repository.

    signals     ends the process at once when it is told to
    entrypoint  the command line; everything that is done otherwise than the CDK does it
    source      check, discover and read, whatever the API
    contract    what the reader asks of a stream
    reader      workers fetch pages, the main thread emits messages
    output      messages to stdout, whole lines only
    transport   one HTTP exchange, bounded in time and size
    retry       tries again what time may mend
    clock       the server's time, from Date headers
    headers     dates and Retry-After
    answers     what a server answered, as JSON
    json_text   JSON as destinations can store it
    config      checks of what the user filled in
    secrets     what must not be seen in any output
    errors      what a failure means to the person who runs the sync
    times       timestamps

    configured_catalog   not of a sync: makes what `discover` prints into what `read` wants

It imports nothing of the connector around it.
"""
