/** Changes and extends ComfyUI's graph. Knows nothing of any node. */

import { app } from "../../scripts/app.js";

/** Make a change that is one step of the graph's undo. */
export function changing(change) {
  app.canvas?.emitBeforeChange?.();
  change();
  app.canvas?.emitAfterChange?.();
}
