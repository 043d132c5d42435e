/** What a mixer is told of several prompts: a batch has them in one run, a list runs the node once for each. */

import { say, translated } from "./language.js";
import { keyOf, own } from "./mix.js";
import { LEFT_OUT, signOf, VERDICTS } from "./verdicts.js";

/** Return what several runs of a list said as one run of all its prompts, which are named by their number. */
export function together(some) {
  if (some.length < 2) return some[0];
  const left = Object.keys(some[0].left_out ?? {}).filter((name) => some.every((one) => own(one.left_out ?? {}, name)));
  const prompts = some.flatMap((one, i) => (one.prompts ?? []).map((prompt) => numbered(prompt, one.left_out ?? {}, `${i + 1}/${some.length}`)));
  return { ...some[0], prompts, left_out: Object.fromEntries(left.map((name) => [name, some[0].left_out[name]])) };
}

/** Return runs and one more, which is none of its own where a prompt is drawn twice. */
export function withRun(runs, one) {
  return runs.some((other) => JSON.stringify(other) === JSON.stringify(one)) ? runs : [...runs, one];
}

/** Return what became of a category in several prompts: the worst verdict on a change, and of all what is to be read. */
export function verdictOf(prompts, category) {
  if (!prompts.some((one) => own(one.verdicts, category))) return undefined;
  const found = prompts.map((one) => ({ title: one.title, ...(own(one.verdicts, category) ?? { verdict: VERDICTS[0] }) }));
  const worst = [...found].sort((one, other) => VERDICTS.indexOf(other.verdict) - VERDICTS.indexOf(one.verdict))[0];
  const took = found.filter((one) => one.verdict === "took").length;
  if (took === found.length) return worst;
  const told = found.filter((one) => one.verdict !== "took").map(({ title, verdict, reason }) => {
    const said = `${translated(title)}: ${say(signOf(verdict)[1])}`;
    return reason ? `${said}: ${translated(reason)}` : said;
  });
  return { ...worst, line: [say("tookIn", { took, count: found.length }), ...told].join("; ") };
}

/** Return a prompt of one of several runs, with what was left out of that run among its verdicts. */
function numbered(prompt, leftOut, number) {
  const names = Object.keys(prompt.before ?? {});
  const left = Object.entries(leftOut).map(([name, reason]) => [keyOf(names, name) ?? name, { verdict: LEFT_OUT, reason }]);
  const title = [number, prompt.title].filter(Boolean).join(", ");
  return { ...prompt, title, verdicts: { ...prompt.verdicts, ...Object.fromEntries(left) } };
}
