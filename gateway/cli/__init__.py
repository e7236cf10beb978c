"""The command line: `kine-gateway VERB`. One module per command group; heavy imports wait for their command."""

from gateway.cli.app import main

__all__ = ["main"]
