"""The parts of tools/bench: what it runs, pairs and tells, and the programs (*_peer.py) that time other libraries."""
