"""How the page looks, by day and by night, and its one piece of behaviour."""

STYLE = """
:root { color-scheme: light dark; --paper: #faf9f6; --card: #fff; --ink: #24242a; --faint: #77757c; --line: #e4e1da;
  --edited: #5b3fd6; --rewrite: #8d8a93; --before: #c3bfb6; --baseline: #c07a2b; --good: #1c7f4a; --bad: #c8283a;
  --moved: #a86400; --deep: #c8283a }
@media (prefers-color-scheme: dark) { :root { --paper: #17171b; --card: #202026; --ink: #ecebe7; --faint: #9b99a2;
  --line: #33333b; --edited: #a48fff; --rewrite: #8b8993; --before: #55545c; --baseline: #e0a052; --good: #5fcf94;
  --bad: #ff7b86; --moved: #f0b355; --deep: #ff5f6d } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 56px 24px 24px } section { margin-top: 64px }
h1 { font-size: clamp(30px, 5vw, 52px); line-height: 1.08; letter-spacing: -.025em; margin: 0 0 18px }
h2 { font-size: 26px; letter-spacing: -.015em; margin: 0 0 10px }
h3 { font-size: 18px; margin: 32px 0 8px } h3 small { color: var(--faint); font-weight: 400 } h4 { margin: 0;
  font-size: 17px }
p { max-width: 72ch } .lead { font-size: 19px; max-width: 60ch } .fine { color: var(--faint); font-size: 14px }
.asked { font-size: 17px } .asked + * { margin-top: 18px }
.said { padding-left: 20px; max-width: 76ch } .said li { margin: 4px 0 }
img { display: block; width: 100%; border-radius: 10px; background: var(--line) }
figure { margin: 0 } figcaption { font-size: 12.5px; line-height: 1.4; color: var(--faint); margin-top: 4px }
code, pre { font: 13.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px; overflow-x: auto;
  white-space: pre-wrap; margin: 0 }
nav { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 28px }
nav a { color: var(--ink); text-decoration: none; font-size: 14px; padding: 4px 12px; border-radius: 99px;
  background: var(--card); border: 1px solid var(--line) } nav a:hover { border-color: var(--edited) }
.edited { --tone: var(--edited) } .rewrite { --tone: var(--rewrite) } .before { --tone: var(--before) }
.baseline { --tone: var(--baseline) }
.good { color: var(--good); font-weight: 600 } .bad { color: var(--bad); font-weight: 600 } .moved { color:
  var(--moved) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 18px; display: flex;
  flex-direction: column; gap: 4px }
.tile b { font-size: 32px; line-height: 1.1; letter-spacing: -.02em; color: var(--edited) }
.tile i { color: var(--faint); font-style: normal; font-size: 13.5px; margin-top: auto; padding-top: 6px }
.wide { overflow-x: auto }
.methods, .plain { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px }
.methods th, .plain th { text-align: left; font-weight: 600; padding: 8px 12px 6px 0; vertical-align: top }
.plain td { padding: 6px 14px 6px 0; white-space: nowrap } .plain tr + tr, .methods .first { border-top: 1px solid
  var(--line) }
.methods th[rowspan] { font-size: 15px; max-width: 210px; min-width: 120px; position: sticky; left: 0;
  background: var(--paper) }
.methods th small { display: block; color: var(--faint); font-weight: 400; font-size: 12.5px; line-height: 1.35 }
.methods td { padding: 6px 14px 8px 0; min-width: 104px; vertical-align: top }
.methods td > b { display: block; font-weight: 600; margin-bottom: 3px }
.methods td small { display: block; color: var(--faint); font-size: 12px; margin-top: 4px; white-space: nowrap }
.methods tr.edited td > b { color: var(--edited) }
.axis { display: block; position: relative; height: 8px; border-radius: 6px; background: var(--line) }
.axis i { position: absolute; inset: 0 auto 0 0; border-radius: 6px; background: var(--tone); opacity: .38;
  min-width: 4px }
.axis b { position: absolute; top: -3px; width: 5px; height: 14px; margin-left: -2.5px; border-radius: 3px;
  background: var(--tone) }
details { margin-top: 8px } summary { cursor: pointer; color: var(--faint); padding: 6px 0 }
dl { display: grid; grid-template-columns: minmax(150px, 210px) 1fr; gap: 12px 20px; margin: 22px 0 0 }
dt { font-weight: 600 } dd { margin: 0; max-width: 72ch }
.heats, .curves, .dictionary { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr));
  gap: 28px; align-items: start }
.heat figcaption, .curve figcaption { font-size: 15px; font-weight: 600; color: var(--ink); margin-bottom: 8px }
.heat { overflow-x: auto } .heat table { border-collapse: separate; border-spacing: 2px; width: 100%;
  table-layout: fixed; font-variant-numeric: tabular-nums; font-size: 12.5px }
.heat th { font-weight: 400; color: var(--faint); text-align: right; padding-right: 6px; height: 26px;
  overflow: hidden; white-space: nowrap } .heat th:first-child { width: 84px }
.heat tr:first-child th { height: 88px; vertical-align: bottom; padding: 0; text-align: center }
.heat th span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block; margin: 0 auto }
.heat td { text-align: center; border-radius: 4px; height: 28px;
  background: color-mix(in srgb, var(--deep) calc(var(--share) * 78%), var(--card)) }
.heat td.none { background: none; color: var(--line) } .heat tr:last-child > * { font-weight: 600 }
.curve { max-width: 640px } .curve svg { width: 100%; display: block } .curve text { font-size: 13px;
  fill: var(--faint); font-variant-numeric: tabular-nums }
.curve .grid { stroke: var(--line); fill: none } .curve .line { stroke: var(--tone); stroke-width: 2.5; fill: none }
.curve .band { fill: var(--tone); opacity: .16 } .curve circle { fill: var(--tone) }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 6px; font-size: 13.5px }
.legend span::before { content: ""; display: inline-block; width: 14px; height: 4px; border-radius: 2px;
  background: var(--tone); margin: 0 7px 3px 0 }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 18px; margin-top: 30px }
.trio { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px } .trio img { cursor: pointer }
.strip .trio p { grid-column: 1 / 4; margin: -4px 2px 0; font-weight: 600 }
.stack { display: grid; gap: 16px; margin-top: 14px }
article { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 16px }
.prompt { margin: 2px 0 10px; font-size: 13.5px; color: var(--faint); line-height: 1.45 }
.shown { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); gap: 10px } .shown img { border-radius: 8px }
.fault-missed img { outline: 3px solid var(--bad) } .fault-moved img { outline: 3px solid var(--moved) }
footer { max-width: 1120px; margin: 0 auto; padding: 24px; color: var(--faint); font-size: 14px }
@media (max-width: 620px) { main { padding: 32px 16px 16px } section { margin-top: 48px }
  .tiles { grid-template-columns: 1fr 1fr } .tile { padding: 14px } .tile b { font-size: 26px }
  dl { grid-template-columns: 1fr } dd { margin-bottom: 8px } .heat table { font-size: 11px }
  .heat th:first-child { width: 66px } .methods th[rowspan] { min-width: 92px; max-width: 110px; font-size: 13.5px } }
"""

SCRIPT = """
for (const trio of document.querySelectorAll(".trio")) {
  const [before, ...others] = trio.querySelectorAll("img");
  for (const image of others) {
    const own = image.src;
    const toggle = () => { image.src = image.src === own ? before.src : own; };
    image.addEventListener("pointerenter", () => { image.src = before.src; });
    image.addEventListener("pointerleave", () => { image.src = own; });
    image.addEventListener("click", toggle);
  }
}
"""
"""Point at an edited picture to see the unedited one in its place; without scripts the page lacks only that."""
