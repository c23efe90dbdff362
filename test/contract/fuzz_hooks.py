"""What schemathesis must be told to fuzz openbell: MessagePack, and which header names the server's parser takes.

uWebSockets.js never finishes a request whose header name holds anything but letters, digits and hyphens (it hangs up
after its idle timeout), so no such request reaches openbell. The names that fuzzing invents are cut down to that.
"""

import re

import msgpack
import schemathesis

NAME = re.compile(r"[A-Za-z0-9-]+")


def packable(value):
    """MessagePack has integers of 64 bits; a larger one, which fuzzing likes to make, goes out as a float."""
    if isinstance(value, dict):
        return {packable(key): packable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [packable(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1000 else float("inf")
    return value


@schemathesis.serializer("application/msgpack")
def to_msgpack(ctx, value):
    return value if isinstance(value, bytes) else msgpack.packb(packable(value), unicode_errors="surrogatepass")


@schemathesis.deserializer("application/msgpack")
def from_msgpack(ctx, response):
    return msgpack.unpackb(response.content)


@schemathesis.hook
def before_call(context, case, kwargs):
    for name in [name for name in case.headers if not NAME.fullmatch(name)]:
        del case.headers[name]
