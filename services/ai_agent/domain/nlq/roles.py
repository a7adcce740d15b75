"""Roles in a question, as the servers themselves call them."""

import re
from collections.abc import Sequence
from dataclasses import replace

from services.ai_agent.domain.nlq.lexicon import Lexicon
from services.ai_agent.domain.nlq.segment import Token
from services.ai_agent.domain.ports import Inventory

_JOINT = re.compile(r"[-_]")
_SERIES_LIKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")


def find_roles(tokens: Sequence[Token], inventory: Inventory, lexicon: Lexicon) -> tuple[tuple[str, ...], list[Token]]:
    """The roles that are meant and the tokens that say so; a role that no server has counts only beside a word for servers."""
    present = {server.role.lower(): server.role for server in inventory.servers if server.role}
    found: dict[str, None] = {}
    parts: list[Token] = []
    for index, token in enumerate(tokens):
        if token.kind != "role":
            continue
        forms = lexicon.roles.get(token.value, frozenset()) | {token.value, token.surface}
        matching = [role for key, role in sorted(present.items()) if key in forms or _JOINT.sub(" ", key) in forms]
        beside_servers = index + 1 < len(tokens) and tokens[index + 1].kind in ("server", "inventory")
        if matching or beside_servers or not present:
            found.update(dict.fromkeys(matching or [token.value]))
            parts.append(token)
    return tuple(found), parts


def find_sites(tokens: Sequence[Token], inventory: Inventory) -> tuple[str, ...]:
    """The sites that are meant, as the servers call them."""
    wanted = {token.value for token in tokens if token.kind == "site"}
    return tuple(sorted({server.site for server in inventory.servers if wanted & _site_words(server.site)}))


def _site_words(site: str) -> set[str]:
    """What a site may be called: seoul-1, or seoul."""
    return {site.lower(), _JOINT.split(site.lower())[0]} if site else set()


def as_known(token: Token, inventory: Inventory, lexicon: Lexicon) -> Token:
    """An unknown word that is, or is written like, the name of a series, or is a role or site of a server here, becomes that."""
    if token.kind != "unknown":
        return token
    sites = set().union(*(_site_words(server.site) for server in inventory.servers))
    spelled = next((latin for form, latin in lexicon.spellings.items() if token.surface.startswith(form)), token.surface)
    if spelled in sites:
        return replace(token, kind="site", value=spelled)
    series = next((name for name in inventory.series_names if name.lower() == token.surface), None)
    if series is not None:
        return replace(token, kind="metric", value=series)
    if _SERIES_LIKE.fullmatch(token.surface):
        return replace(token, kind="metric", value=token.surface)  # nothing is stored under it, which is worth saying
    roles = {server.role.lower() for server in inventory.servers if server.role}
    for form in (token.surface, token.surface.removesuffix("s")):
        if form in roles:
            return replace(token, kind="role", value=form)
    return token
