"""How the report page looks, by day and by night, and its one piece of behaviour."""

STYLE = """
:root { color-scheme: light dark; --paper: #faf9f6; --card: #fff; --ink: #24242a; --faint: #77757c; --line: #e4e1da;
  --edited: #5b3fd6; --rewrite: #8d8a93; --before: #c3bfb6; --good: #1c7f4a; --bad: #c8283a; --moved: #a86400;
  --mark: #ece6ff }
@media (prefers-color-scheme: dark) { :root { --paper: #17171b; --card: #202026; --ink: #ecebe7; --faint: #9b99a2;
  --line: #33333b; --edited: #a48fff; --rewrite: #8b8993; --before: #55545c; --good: #5fcf94; --bad: #ff7b86;
  --moved: #f0b355; --mark: #3b3163; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 56px 24px 24px }
section { margin-top: 64px }
h1 { font-size: clamp(30px, 5vw, 52px); line-height: 1.08; letter-spacing: -.025em; margin: 0 0 18px }
h2 { font-size: 26px; letter-spacing: -.015em; margin: 0 0 10px }
h3 { font-size: 18px; margin: 32px 0 8px } h3 small { color: var(--faint); font-weight: 400 }
p { max-width: 72ch } .lead { font-size: 19px; max-width: 60ch } .fine { color: var(--faint); font-size: 14px }
img { display: block; width: 100%; border-radius: 10px; background: var(--line) }
code, pre { font: 13.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px; overflow-x: auto;
  white-space: pre-wrap; margin: 0 }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 18px; margin-top: 30px }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px }
.pair p { grid-column: 1 / 3; margin: 2px 2px 0; font-weight: 600 }
.pair small, h4 small { color: var(--faint); font-weight: 400 }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 18px; display: flex;
  flex-direction: column; gap: 4px }
.tile b { font-size: 32px; line-height: 1.1; letter-spacing: -.02em; color: var(--edited) }
.tile i { color: var(--faint); font-style: normal; font-size: 13.5px; margin-top: auto; padding-top: 6px }
.wide { overflow-x: auto }
table.bars { border-collapse: collapse; width: 100%; min-width: 620px; font-variant-numeric: tabular-nums }
.bars th { text-align: left; font-weight: 600; vertical-align: top; padding: 7px 14px 0 0; width: 210px }
.bars td { padding: 2px 10px 2px 0; white-space: nowrap; font-size: 14px }
.bars tr.first td { padding-top: 9px } .bars tr.first { border-top: 1px solid var(--line) }
.bars .track { width: 45% } .num { text-align: right } .faint { color: var(--faint) }
.axis { display: block; position: relative; height: 12px; border-radius: 6px; background: var(--line);
  --tone: var(--rewrite) }
.axis.edited { --tone: var(--edited) } .axis.before { --tone: var(--before) }
.axis i { position: absolute; inset: 0 auto 0 0; border-radius: 6px; background: var(--tone); opacity: .38;
  min-width: 4px }
.axis b { position: absolute; top: -2px; width: 6px; height: 16px; margin-left: -3px; border-radius: 3px;
  background: var(--tone) }
details { margin-top: 8px } summary { cursor: pointer; color: var(--faint) }
dl { display: grid; grid-template-columns: minmax(150px, 210px) 1fr; gap: 12px 20px; margin: 0 }
dt { font-weight: 600 } dd { margin: 0; max-width: 72ch }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 18px; margin-top: 20px }
article { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 16px }
h4 { margin: 0; font-size: 17px } .prompt { margin: 2px 0 10px; font-size: 13.5px; color: var(--faint);
  line-height: 1.45 }
mark { background: var(--mark); color: var(--ink); border-radius: 4px; padding: 0 3px }
.trio { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px }
figure { margin: 0 } figcaption { font-size: 12.5px; line-height: 1.4; color: var(--faint); margin-top: 4px }
.good { color: var(--good); font-weight: 600 } .good::before { content: "✓ " }
.bad { color: var(--bad); font-weight: 600 } .bad::before { content: "✗ " }
.moved { color: var(--moved) } figcaption .moved::before { content: "also " }
.refused { color: var(--bad); font-size: 13px; margin: 8px 0 0 }
.trio img { cursor: pointer }
.story { padding-left: 22px } .story li { border-bottom: 1px solid var(--line); padding: 9px 0 }
.story li { display: list-item } .story li span { display: inline-block; width: calc(100% - 90px);
  vertical-align: top }
.story li b { display: inline-block; width: 84px; text-align: right; font-variant-numeric: tabular-nums }
.dictionary { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 18px;
  align-items: start }
footer { max-width: 1120px; margin: 0 auto; padding: 24px; color: var(--faint); font-size: 14px }
@media (max-width: 620px) { dl { grid-template-columns: 1fr } dd { margin-bottom: 8px } }
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
