"""How the scoreboard's report looks beyond what every page shares."""

STYLE = """
:root { --rival: #c07a2b; --deep: #c8283a } @media (prefers-color-scheme: dark) { :root { --rival: #e0a052;
  --deep: #ff5f6d } }
.axis.rival, .rival { --tone: var(--rival) } .edited { --tone: var(--edited) } .rewrite { --tone: var(--rewrite) }
nav { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 28px }
nav a { color: var(--ink); text-decoration: none; font-size: 14px; padding: 4px 12px; border-radius: 99px;
  background: var(--card); border: 1px solid var(--line) }
nav a:hover { border-color: var(--edited) }
.asked { font-size: 17px } .asked + * { margin-top: 18px }
.strip .trio p { grid-column: 1 / 4; margin: -4px 2px 0; font-weight: 600 } .strip small { color: var(--faint);
  font-weight: 400 }
.methods { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px }
.methods th { text-align: left; font-weight: 600; padding: 8px 12px 6px 0; vertical-align: top }
.methods th[rowspan] { font-size: 15px; max-width: 210px; min-width: 120px; position: sticky; left: 0;
  background: var(--paper) }
.methods th small { display: block; color: var(--faint); font-weight: 400; font-size: 12.5px; line-height: 1.35 }
.methods tr.first { border-top: 1px solid var(--line) }
.methods td { padding: 6px 14px 8px 0; min-width: 104px; vertical-align: top } .methods td.name { color: var(--faint);
  white-space: nowrap; min-width: 0 }
.methods td b { display: block; font-weight: 600; margin-bottom: 3px } .methods .axis { height: 8px }
.methods .axis b { top: -3px; width: 5px; height: 14px; margin: 0 0 0 -2.5px }
.methods td small { display: block; color: var(--faint); font-size: 12px; margin-top: 4px; white-space: nowrap }
.methods tr.ours td b { color: var(--edited) } .apart span { font-weight: 600 }
.apart .good::before, .apart .bad::before { content: "" }
.goals { border-collapse: collapse; width: 100% } .goals td { padding: 8px 14px 8px 0; vertical-align: top;
  border-top: 1px solid var(--line) }
.goals td:first-child { white-space: nowrap; font-weight: 600; width: 116px }
.goals td:last-child { color: var(--faint); font-variant-numeric: tabular-nums }
.open { color: var(--moved) } .open::before { content: "? " }
dl { margin-top: 22px } .said { padding-left: 20px; max-width: 76ch } .said li { margin: 4px 0 }
.own { list-style: none; padding: 0; margin: 14px 0 0; display: grid; gap: 4px; font-size: 14px }
.own b { font-weight: 600; margin-right: 6px } .own span { color: var(--faint) }
.heats { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 28px }
.heat figcaption, .curve figcaption { font-size: 15px; font-weight: 600; color: var(--ink); margin-bottom: 8px }
.heat { overflow-x: auto } .heat table { border-collapse: separate; border-spacing: 2px; width: 100%;
  table-layout: fixed; font-variant-numeric: tabular-nums; font-size: 12.5px }
.heat th { font-weight: 400; color: var(--faint); text-align: right; padding-right: 6px; height: 26px;
  overflow: hidden; white-space: nowrap }
.heat tr:first-child th { height: 88px; vertical-align: bottom; padding: 0 } .heat th:first-child { width: 84px }
.heat th span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block; margin: 0 auto }
.heat tr:first-child th { text-align: center }
.heat td { text-align: center; border-radius: 4px; height: 28px;
  background: color-mix(in srgb, var(--deep) calc(var(--share) * 78%), var(--card)) }
.heat td.none { background: none; color: var(--line) } .heat .all th, .heat .all td { font-weight: 600 }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 28px }
.curve { max-width: 640px } .curve svg { width: 100%; display: block } .curve text { font-size: 13px;
  fill: var(--faint); font-variant-numeric: tabular-nums }
.curve .grid { stroke: var(--line); fill: none } .curve .line { stroke: var(--tone); stroke-width: 2.5; fill: none }
.curve .band { fill: var(--tone); opacity: .16 } .curve circle { fill: var(--tone) }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 6px; font-size: 13.5px }
.legend span::before { content: ""; display: inline-block; width: 14px; height: 4px; border-radius: 2px;
  background: var(--tone); margin: 0 7px 3px 0 }
.shown { display: grid; grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); gap: 10px }
.shown img { border-radius: 8px; cursor: pointer } .shown figcaption { font-size: 12px }
.shown .fault-missed img { outline: 3px solid var(--bad) } .shown .fault-moved img { outline: 3px solid
  var(--moved) }
.shown figcaption .moved::before { content: none }
.stack { display: grid; gap: 16px; margin-top: 14px }
summary { padding: 6px 0 }
@media (max-width: 620px) { main { padding: 32px 16px 16px } section { margin-top: 48px }
  .tiles { grid-template-columns: 1fr 1fr } .tile { padding: 14px } .tile b { font-size: 26px }
  .goals td { display: block; border: 0; padding: 1px 0 }
  .goals td:first-child { border-top: 1px solid var(--line); padding-top: 8px; width: auto }
  .goals td:last-child { padding-bottom: 8px } .heat table { font-size: 11px } .heat th:first-child { width: 66px }
  .methods th[rowspan] { min-width: 92px; max-width: 110px; font-size: 13.5px } }
"""
