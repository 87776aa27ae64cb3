"""What listener policies can ask for: one file a group of settings, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping

from serai.listener_policies import (
    access_log,
    client_certificates,
    client_ip,
    connection,
    headers,
    limits,
    local_replies,
    protocol,
    tracing,
)
from serai.listener_policies.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    *access_log.SETTINGS,
    *tracing.SETTINGS,
    *client_ip.SETTINGS,
    *headers.SETTINGS,
    *limits.SETTINGS,
    *protocol.SETTINGS,
    *local_replies.SETTINGS,
    *connection.SETTINGS,
    *client_certificates.SETTINGS,
)
"""Where two write the same field of Envoy's, the later one counts."""

BY_FIELD: Mapping[str, Setting] = {setting.field: setting for setting in SETTINGS}
