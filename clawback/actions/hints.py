"""What to write for a word that is no action, and how each action is written."""

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "move": "move: {destination: JunkEmail}",
    "bulk_move": "bulk_move: {destination: JunkEmail, sender: '{from}', since: 7d}",
    "reclassify": "reclassify: {disposition: MALICIOUS}",
    "release": "release: {}",
    "block_sender": "block_sender: {pattern: '{from}', expires_after: 30d}",
    "allow_sender": "allow_sender: {pattern: '{from}', expires_after: 30d}",
    "trust_domain": "trust_domain: {pattern: '{from_domain}', expires_after: 30d}",
    "protect_identity": "protect_identity: {display_name: Ann Lee, email: ann@example.com}",
    "notify": "notify: {channel: soc}",
    "tell_reporter": "tell_reporter: {channel: mail}",
}
"""One line for each action that shows how it is written."""

_MEANT: Mapping[str, str] = {
    "move: {destination: RecoverableItemsDeletions}": "quarantine contain isolate hold",
    "move: {destination: DeletedItems}": "delete trash remove softdelete discard",
    "move: {destination: RecoverableItemsPurges}": "purge harddelete destroy",
    "move: {destination: JunkEmail}": "junk spam movetojunk movejunk tojunk folder",
    "move: {destination: Inbox}": "restore undelete movetoinbox inbox",
    EXAMPLES["release"]: "unquarantine deliver free",
    EXAMPLES["reclassify"]: "classify report submit relabel verdict markmalicious",
    EXAMPLES["block_sender"]: "block blacklist blocklist deny ban blockaddress blockdomain",
    EXAMPLES["allow_sender"]: "allow whitelist allowlist permit accept",
    EXAMPLES["trust_domain"]: "trust safelist",
    EXAMPLES["bulk_move"]: "search sweep retro hunt movesimilar moveall bulkdelete",
    EXAMPLES[
        "notify"
    ]: "alert email mail slack teams webhook page message notification tell ticket",
    EXAMPLES["tell_reporter"]: "reply replyreporter answer thank",
}
_BY_WORD = {word: example for example, words in _MEANT.items() for word in words.split()}


def find_example(word: str) -> str | None:
    """Show how the action is written that a word of other products stands for, if one does."""
    return _BY_WORD.get("".join(char for char in word.casefold() if char.isalnum()))
