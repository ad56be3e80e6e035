"""How pages look: one style sheet for screen, in light and dark, and for paper."""

CSS = """
:root { color-scheme: light dark; --sheet: #fbfaf5; --card: #ffffff; --ink: #20242a; --quiet: #666257; --rule: #d8d2c2;
  --grid: #ece7da; --band: #f7e5cd; --before: #a94a08; --before-line: #cf6c1c; --after: #0b5c9e; --mark: #20242a;
  --cut: #a59d8a; --check: #e9e4d6;
  --sans: ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --sheet: #15181b; --card: #1c2024; --ink: #e9e5da; --quiet: #a39d8f;
  --rule: #3a3e42; --grid: #282c30; --band: #3b2d1c; --before: #f0a35e; --before-line: #d5843c; --after: #7dbdf5;
  --mark: #e9e5da; --cut: #6d6a62; --check: #23282c; } }
* { box-sizing: border-box; }
html { background: var(--sheet); -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1184px; padding: 28px 32px 56px; color: var(--ink);
  font: 16px/1.5 "Iowan Old Style", Charter, "Bitstream Charter", "Source Serif 4", Cambria, Georgia, serif; }
.num, td.n, th.n, dd, .where, svg text, .films th, figcaption, footer {
  font-family: var(--sans);
  font-variant-numeric: tabular-nums; }
a { color: var(--after); text-underline-offset: 2px; }
a:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--after); outline-offset: 2px; }
.head { border-top: 3px solid var(--ink); border-bottom: 1px solid var(--ink); padding: 10px 0 16px; }
.kind { margin: 0; font: 600 12px/1.6 var(--sans); letter-spacing: .12em;
  text-transform: uppercase; color: var(--quiet); }
h1 { margin: 6px 0 4px; font-size: 32px; line-height: 1.15; font-weight: 600; overflow-wrap: anywhere; }
h1.long { font-size: 22px; line-height: 1.25; }
.lead { margin: 0; font-size: 19px; line-height: 1.4; }
.facts { display: flex; flex-wrap: wrap; margin: 0; padding: 10px 0; border-bottom: 1px solid var(--rule); gap: 8px 36px; }
.facts div { min-width: 0; }
dt { font: 12px/1.4 var(--sans); color: var(--quiet); }
dd { margin: 0; font-size: 15px; overflow-wrap: anywhere; }
h2 { margin: 36px 0 10px; font-size: 23px; line-height: 1.25; font-weight: 600; }
section > p { margin: 0 0 14px; max-width: 68ch; }
figure { margin: 0; }
figcaption { margin-top: 6px; font-size: 13px; line-height: 1.45; color: var(--quiet); max-width: 84ch; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 11.5px; fill: var(--ink); }
svg .quiet { fill: var(--quiet); } svg text.before { fill: var(--before); font-weight: 600; }
svg text.after { fill: var(--after); font-weight: 600; }
svg polyline, svg line { fill: none; stroke-linejoin: round; stroke-linecap: round; }
svg .rule { stroke: var(--rule); } svg .grid { stroke: var(--grid); }
svg rect.band { fill: var(--band); } svg rect.mark { fill: var(--mark); }
svg rect.hollow { fill: var(--sheet); stroke: var(--mark); stroke-width: 1.2; } svg rect.cut { fill: var(--cut); }
svg polyline.cut { stroke: var(--cut); stroke-dasharray: 2 3; }
svg polyline.before { stroke: var(--before-line); stroke-width: 3; }
svg polyline.after { stroke: var(--after); stroke-width: 1.4; }
svg a:hover rect { fill: var(--after); }
.narrow { display: none; }
.cards { display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 4px; padding: 16px 18px 18px;
  scroll-margin-top: 12px; }
.card:target { outline: 2px solid var(--after); outline-offset: 1px; }
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px; margin-bottom: 4px; }
h3 { margin: 0; font-size: 20px; line-height: 1.3; font-weight: 600; }
.no { font: 600 14px/1 var(--sans); min-width: 26px;
  padding: 5px 6px; text-align: center; border: 1px solid var(--ink); border-radius: 3px; align-self: center;
  font-variant-numeric: tabular-nums; }
.where { font-size: 14px; color: var(--quiet); }
.card > p { margin: 0 0 12px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; align-items: start; }
.pair.one { grid-template-columns: minmax(0, 560px); }
.with-trace { display: grid; grid-template-columns: minmax(0, 2.1fr) minmax(0, 1fr); gap: 20px; align-items: start; }
.pair img, .films img { outline: 1px solid var(--rule); outline-offset: -1px; }
.pair img, .none { display: block; width: 100%; border-radius: 2px; background: var(--check); }
.pair img { height: auto; max-height: 440px; object-fit: contain; }
.none { display: grid; place-items: center; padding: 8px; text-align: center; color: var(--quiet);
  font: 13px/1.35 var(--sans);
  background: repeating-linear-gradient(-45deg, transparent 0 7px, var(--grid) 7px 8px); border: 1px dashed var(--rule); }
.pair figcaption b { font-weight: 600; } .b { color: var(--before); } .a { color: var(--after); }
.films { margin-top: 14px; border-collapse: separate; border-spacing: 3px; max-width: 100%; table-layout: fixed; }
.films th { font-size: 12px; font-weight: 400; color: var(--quiet); text-align: center; padding: 0; }
.films tbody th, .films thead td { width: 54px; }
.films tbody th { text-align: left; font-weight: 600; } .films td { padding: 0; vertical-align: middle; width: 138px; }
.films thead td { visibility: hidden; }
.films img { display: block; width: 100%; height: auto; max-height: 200px; object-fit: contain; }
.films .none { font-size: 11px; line-height: 1.15; min-height: 40px; padding: 2px; overflow: hidden; }
.films th.in { color: var(--ink); font-weight: 700; } .films td.in img, .films td.in .none { outline: 2px solid var(--ink); }
.stack { position: relative; --at: 50%; max-width: 960px; overflow: hidden; border-radius: 2px; background: var(--check); }
.stack img { display: none; position: absolute; inset: 0; width: 100%; height: 100%; }
.stack img.left, .stack img.right { display: block; }
.stack img.left { z-index: 1; clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.stack::after { content: ""; position: absolute; z-index: 2; top: 0; bottom: 0; left: calc(var(--at) - 1px); width: 2px;
  background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
.stack input { position: absolute; z-index: 3; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
.stack:focus-within { outline: 2px solid var(--after); outline-offset: 2px; }
.sides { display: flex; justify-content: space-between; max-width: 960px; margin: 6px 0 12px; }
.sides select { font: 14px/1.4 var(--sans); color: var(--ink); background: var(--card); border: 1px solid var(--rule);
  border-radius: 3px; padding: 3px 6px; max-width: 48%; }
.below { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 10px; max-width: 960px; }
.below figure { margin: 0; } .below img { display: block; width: 100%; height: auto; }
.hide { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.wide-table { overflow-x: auto; }
table.data { border-collapse: collapse; width: 100%;
  font: 14px/1.45 var(--sans);
  font-variant-numeric: tabular-nums; }
.data caption { text-align: left; color: var(--quiet); font-size: 13px; padding-bottom: 6px; }
.data :is(td, tbody th):not(:last-child) { white-space: nowrap; }
.data th, .data td { text-align: left; padding: 5px 16px 5px 0; border-bottom: 1px solid var(--grid); vertical-align: top;
  font-weight: 400; }
.data thead th { border-bottom: 1px solid var(--ink); font-size: 13px; color: var(--quiet); white-space: nowrap; }
.data .n { text-align: right; white-space: nowrap; }
ul.notes { margin: 0; padding-left: 20px; max-width: 76ch; overflow-wrap: anywhere; } .notes li { margin: 3px 0; }
footer { margin-top: 40px; padding-top: 10px; border-top: 1px solid var(--ink); font-size: 13px; color: var(--quiet); }
@media (max-width: 760px) {
  body { padding: 16px 16px 40px; } h1 { font-size: 25px; } .lead { font-size: 17px; } .facts { gap: 6px 24px; }
  .wide { display: none; } .narrow { display: block; }
  .with-trace { grid-template-columns: minmax(0, 1fr); gap: 12px; } .card { padding: 12px; }
  .pair { gap: 6px; } .films { width: 100%; } .films td { width: auto; }
  .films tbody th, .films thead td { width: 42px; } .films th { font-size: 10.5px; }
  .films { border-spacing: 1px; } .films .none { font-size: 9.5px; padding: 0; }
}
@media print {
  :root { --sheet: #fff; --card: #fff; --ink: #000; --quiet: #444; --rule: #bbb; --grid: #e4e4e4; --band: #f5e2ca;
    --before: #a04000; --before-line: #cf6c1c; --after: #00508f; --mark: #000; --cut: #888; --check: #eee; }
  @page { margin: 14mm; } body { max-width: none; padding: 0; font-size: 11pt; }
  .card, .data tr, figure { break-inside: avoid; } h2, h3 { break-after: avoid; } a { color: inherit; text-decoration: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .wide { display: block; } .narrow { display: none; }
}
@media print and (prefers-color-scheme: dark) { :root { color-scheme: light; } }
"""
