"""What time asks for in a post: the step anybody may take now. Pure."""

from chaincode.energy.marketplace.records import DEALT, Post, PostState

NOTHING, SETTLE, EXPIRE = "nothing", "settle", "expire"


def due_step(post: Post, now_ms: int) -> str:
    """The function of the contract to call: settle, expire, or nothing.

    `settle` is refused while readings are missing, and may be called again.
    """
    if post.state in DEALT:
        if now_ms >= post.refund_from_ms:
            return EXPIRE
        return SETTLE if now_ms >= post.delivery_end_ms else NOTHING
    if post.state == PostState.RESERVED and now_ms >= post.reserved_until_ms:
        return EXPIRE
    is_open = post.state in (PostState.OPEN, PostState.RESERVED)
    return EXPIRE if is_open and now_ms >= post.delivery_start_ms else NOTHING
