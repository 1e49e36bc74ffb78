// Drives the extension in a running VS Code, as a person does: drive.mjs PLAYWRIGHT CHROMIUM URL RECIPE SHOTS
//
// A misspelled name and a router mode that is none are underlined, the hover says what is wrong and who reads the name, the
// quick fix is chosen from the menu and the file saved, the lens shows what the service gets. Pictures are kept in SHOTS.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [playwright, executablePath, url, recipe, shots] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);
const before = await readFile(recipe, 'utf8');
const WRONG = 'NCCL_DEBGU';
const RIGHT = 'NCCL_DEBUG';
const expected = before.replace(WRONG, RIGHT);
await mkdir(shots, { recursive: true });

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1500, height: 900 } });
page.setDefaultTimeout(90_000);
const started = Date.now();
const step = what => console.log(`${((Date.now() - started) / 1000).toFixed(1)} s: ${what}`);
const shot = name => page.screenshot({ path: join(shots, `${name}.png`) });
const must = (ok, what) => {
  if (!ok) throw new Error(what);
};

/** Where a word stands on the screen, by the text the editor draws. */
async function box(word) {
  await page.waitForFunction(word => {
    const lines = [...document.querySelectorAll('.monaco-editor .view-line')];
    return lines.some(line => line.textContent.replaceAll('\u00a0', ' ').includes(word));
  }, word);
  return page.evaluate(word => {
    const lines = [...document.querySelectorAll('.monaco-editor .view-line')];
    // The editor draws spaces that do not break.
    const line = lines.find(line => line.textContent.replaceAll('\u00a0', ' ').includes(word));
    const walk = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    const nodes = [];
    let text = '';
    while (walk.nextNode()) {
      nodes.push([walk.currentNode, text.length]);
      text += walk.currentNode.data.replaceAll('\u00a0', ' ');
    }
    const at = offset => {
      const [node, start] = nodes.findLast(([, start]) => start <= offset);
      return [node, Math.min(offset - start, node.data.length)];
    };
    const range = document.createRange();
    const first = text.indexOf(word);
    range.setStart(...at(first));
    range.setEnd(...at(first + word.length - 1));
    const { x, y, width, height } = range.getBoundingClientRect();
    return { x, y, width: (width * word.length) / (word.length - 1), height };
  }, word);
}

/** Whether a squiggle lies under a word, from its first letter to its last. */
async function underlined(word, kinds = '.squiggly-error, .squiggly-warning, .squiggly-info') {
  const place = await box(word);
  const squiggles = await page.locator(kinds).all();
  for (const squiggle of squiggles) {
    // One that has gone since it was listed is under nothing.
    const under = await squiggle.boundingBox({ timeout: 1000 }).catch(() => null);
    const off = under && Math.max(Math.abs(under.x - place.x), Math.abs(under.x + under.width - place.x - place.width));
    const same = under && under.y + under.height > place.y && under.y < place.y + place.height;
    if (same && off < 4) return true;
  }
  return false;
}

/** Waits until something is so. */
async function until(what, is) {
  for (let turn = 0; turn < 300; turn += 1) {
    if (await is()) return step(what);
    await page.waitForTimeout(200);
  }
  throw new Error(`never: ${what}`);
}

try {
  await page.goto(url);
  await page.waitForSelector('.monaco-editor .view-line');
  step('the recipe is open');
  await until(`${WRONG} is underlined, from its first letter to its last`, () => underlined(WRONG, '.squiggly-warning'));
  await until('kv-aware is underlined', () => underlined('kv-aware'));
  must(!(await underlined('INFO')), 'a value that is right is underlined');

  const word = await box(WRONG);
  await page.mouse.move(word.x + word.width / 2, word.y + word.height / 2);
  const hover = page.locator('.monaco-hover:visible');
  await until('the hover says what is wrong', async () => {
    const text = (await hover.allInnerTexts()).join('\n');
    return text.includes(RIGHT) && text.includes('unknown-transport-variable');
  });
  await shot('hover');
  await page.keyboard.press('Escape');

  const row = page.locator('.action-widget .monaco-list-row', { hasText: `replace \`${WRONG}\` by \`${RIGHT}\`` }).first();
  // On a busy machine the editor may give up waiting for the actions, or the click fall on the hover that is closing: a person
  // does both again.
  await until('the quick fix is offered', async () => {
    await page.mouse.click(word.x + word.width / 2, word.y + word.height / 2);
    await page.keyboard.press('Control+.');
    const shown = await row.waitFor({ timeout: 8000 }).then(() => true, () => false);
    if (!shown) await page.keyboard.press('Escape');
    return shown;
  });
  await shot('quick-fix');
  await row.click();
  await box(`${RIGHT},`);
  // Advice about the place stays: a frontend has no use for the variable under its right name either.
  await until('the warning is gone', async () => !(await underlined(RIGHT, '.squiggly-warning')));
  await page.keyboard.press('Control+s');
  await until('the bytes saved are the bytes expected', async () => (await readFile(recipe, 'utf8')) === expected);

  await page.locator('.codelens-decoration a', { hasText: 'effective configuration' }).first().click();
  await box(`${RIGHT} = INFO`);
  step('the lens shows what the service gets');
  await shot('lens');
} catch (error) {
  await shot('failed');
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}
