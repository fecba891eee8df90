"""How browser and server find each other: the ICE servers of WebRTC.

By default there are none, so that nothing outside is asked for a way: browser
and server then meet on one computer or in one local network. A public host
needs a TURN server, which passes on what firewalls would stop. It is named by
environment variables, or by lines of the same names in Streamlit's
``secrets.toml``:

- ``FER_ICE_SERVERS``: what WebRTC calls ``iceServers``, as JSON, or as TOML in
  the secrets: ``[{"urls": "turn:host:3478", "username": "…", "credential": "…"}]``.
- ``FER_SERVER_ICE_SERVERS``: the same for the server's end, where it needs
  others than the browser; ``[]`` for none.
- ``FER_ICE_TRANSPORT_POLICY``: ``relay`` lets the browser use TURN servers
  only; by default ``all``.
"""

import json
import os
from typing import Any, TypeAlias

import streamlit as st
from aiortc.rtcicetransport import parse_stun_turn_uri
from streamlit.errors import StreamlitSecretNotFoundError

from fer.errors import SourceError

IceServers: TypeAlias = list[dict[str, Any]]

BROWSER_VARIABLE = "FER_ICE_SERVERS"
SERVER_VARIABLE = "FER_SERVER_ICE_SERVERS"
POLICY_VARIABLE = "FER_ICE_TRANSPORT_POLICY"

_POLICIES = ("all", "relay")


def browser_configuration() -> dict[str, Any]:
    """Read what the browser's end is given, an ``RTCConfiguration``.

    Raises:
        SourceError: A variable is not understood, or the secrets are damaged.
            What they hold is not repeated: it may be a password.
    """
    policy = setting(POLICY_VARIABLE) or "all"
    if policy not in _POLICIES:
        raise SourceError(
            f"{POLICY_VARIABLE} is not understood; expected {' or '.join(_POLICIES)}."
        )
    return {"iceServers": _ice_servers(BROWSER_VARIABLE), "iceTransportPolicy": policy}


def server_configuration() -> dict[str, Any]:
    """Read what the server's end is given, an ``RTCConfiguration``.

    Raises:
        SourceError: As for the browser's.
    """
    named = setting(SERVER_VARIABLE)
    return {"iceServers": _ice_servers(BROWSER_VARIABLE if named is None else SERVER_VARIABLE)}


def _ice_servers(variable: str) -> IceServers:
    servers = setting(variable) or []
    try:
        if isinstance(servers, str):
            servers = json.loads(servers)
        if not isinstance(servers, list):
            raise TypeError("not a list")
        return [_checked(dict(server)) for server in servers]
    except (ValueError, TypeError, KeyError):
        # Without the cause, whose text may hold a password.
        raise SourceError(
            f"{variable} is not understood; expected a JSON list such as "
            '`[{"urls": "turn:host:3478", "username": "…", "credential": "…"}]`.'
        ) from None


def _checked(server: dict[str, Any]) -> dict[str, Any]:
    """Give a server back if both ends will take it.

    Raises:
        ValueError, TypeError, KeyError: They will not.
    """
    urls = server["urls"]
    server["urls"] = [urls] if isinstance(urls, str) else list(urls)
    schemes = {parse_stun_turn_uri(url)["scheme"] for url in server["urls"]}
    if schemes & {"turn", "turns"} and not (server["username"] and server["credential"]):
        raise ValueError("a TURN server wants a user name and a password")
    return server


def setting(name: str) -> Any:
    """Read a variable of the environment, or a line of the secrets; None if there is neither.

    Args:
        name: Of both.

    Raises:
        SourceError: The secrets are damaged.
    """
    if name in os.environ:
        return os.environ[name]
    try:
        return st.secrets.get(name)
    except StreamlitSecretNotFoundError as error:
        if error.__cause__ is None:  # no file, where a damaged one is the cause
            return None
    except UnicodeDecodeError:
        pass
    # Without the cause, whose text may hold a password.
    raise SourceError("secrets.toml cannot be read as TOML: mend or remove it.") from None
