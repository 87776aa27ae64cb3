"""The server side of HTTP/2 (RFC 9113), for few connections with long-lived streams.

Why not a library: what sends configuration spends its time here.  A server that is made for all of
HTTP costs 100 µs of CPU for a message on a stream and 50 KiB for each; 500 proxies that one change
concerns are 50 ms of it.  This one does what gRPC needs, and is strict with everything else: no
priorities, no push, no compression of what it says.

``frames`` and ``headers`` are pure, ``windows`` keeps the accounts of flow control, ``connection``
and ``stream`` are the only ones that know a transport.
"""
