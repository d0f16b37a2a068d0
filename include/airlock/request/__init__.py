"""Transfer requests: what they say, where they wait, where they end."""

from airlock.request.model import Options, Source, TransferRequest, parse_request

__all__ = ["Options", "Source", "TransferRequest", "parse_request"]
