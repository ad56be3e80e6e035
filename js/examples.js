/** Shows the clip or the picture of an example node in the node. */

import { app } from "../../scripts/app.js";
import { chain, passWheel, takePlace } from "./dom_widget.js";
import { isExample, valueOf, viewUrl } from "./sources.js";

const SIZE = [400, 340];
const HEIGHT = 220;
const CLASS = "inbetween-example";

app.registerExtension({
  name: "Inbetween.Examples",

  nodeCreated(node) {
    if (!isExample(node)) return;
    const choice = node.widgets[0];
    const clip = node.comfyClass === "InbetweenExampleClip";
    const shown = document.createElement(clip ? "video" : "img");
    if (clip) Object.assign(shown, { controls: true, loop: true, muted: true, playsInline: true, preload: "metadata" });
    Object.assign(shown, { className: CLASS, draggable: false });
    Object.assign(shown.style, { width: "100%", height: "100%", minHeight: "0", objectFit: "contain" });
    shown.addEventListener("wheel", passWheel, { passive: false });
    const preview = node.addDOMWidget("preview", "INBETWEEN_EXAMPLE", shown, {
      getMinHeight: () => HEIGHT,
      hideOnZoom: false,
      serialize: false,
    });
    preview.serialize = false;

    const show = () => {
      takePlace(node, shown);
      const filename = String(valueOf(node, choice.name));
      const url = viewUrl({ filename, example: true });
      if (shown.getAttribute("src") !== url) shown.src = url;
      shown[clip ? "title" : "alt"] = filename;
    };
    const soon = () => requestAnimationFrame(show);
    chain(choice, "callback", soon);
    for (const event of ["onConfigure", "onAdded", "onConnectionsChange"]) chain(node, event, soon);
    node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
    soon();
  },
});
