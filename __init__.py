"""ComfyUI's door to the pack. Loads nothing until ComfyUI asks for the nodes, so the checkout stays importable without it."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    """The extension that ComfyUI registers."""
    from .nodes import InbetweenExtension

    return InbetweenExtension()
