// Opens the built book in a real browser: node .ci/book.mjs PLAYWRIGHT CHROMIUM BOOK SHOTS
//
// Every page: no error on the console, no request that fails, no link or anchor that leads nowhere, nothing wider than the
// window on a desk or on a telephone. Some pages of each kind, light and dark: text and code stand out from their
// background, and a picture is kept for people to look at.
import { createServer } from 'node:http';
import { readFile, readdir, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, relative } from 'node:path';

const [playwright, executablePath, book, shots] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);
// Least contrast of text to background: level AA of WCAG.
const READABLE = 4.5;
const SEEN = ['index', 'tutorial', 'reading', 'configuration', 'cli', 'comparison', 'rules', 'ci',
  'rules/interconnect/ucx-tls-missing-cuda-copy', 'rules/router/kv-router-no-events'];

const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.woff2': 'font/woff2' };
const server = createServer(async (request, response) => {
  const path = decodeURIComponent(new URL(request.url, 'http://book').pathname);
  try {
    const body = await readFile(join(book, path.endsWith('/') ? `${path}index.html` : path));
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}).listen(0, '127.0.0.1');
await new Promise(resolve => server.on('listening', resolve));
const home = `http://127.0.0.1:${server.address().port}/`;

const files = (await readdir(book, { recursive: true })).filter(name => name.endsWith('.html'));
// `print.html` is the whole book in one page, `toc.html` the list for those without scripts.
const pages = files.filter(name => !['print.html', 'toc.html', '404.html'].includes(name)).sort();
const wrong = [];
const say = (page, what) => wrong.push(`${page}: ${what}`);

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const anchors = new Map();
const links = [];

async function open(context, name) {
  const page = await context.newPage();
  page.on('console', message => message.type() === 'error' && say(name, `console: ${message.text()}`));
  page.on('pageerror', error => say(name, `script: ${error.message}`));
  page.on('requestfailed', request => say(name, `cannot load ${request.url()}`));
  page.on('response', response => response.status() >= 400 && say(name, `${response.status()} for ${response.url()}`));
  page.on('request', request => request.url().startsWith(home) || request.url().startsWith('data:')
    || say(name, `asks the network for ${request.url()}`));
  await page.goto(home + name, { waitUntil: 'load' });
  return page;
}

const overflow = page => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return null;
  const wide = [...document.querySelectorAll('main *')].find(e => e.getBoundingClientRect().right > width + 1
    && ![...document.querySelectorAll('main *')].some(p => p !== e && p.contains(e)
      && ['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)));
  return `${document.documentElement.scrollWidth} pixels wide in a window of ${width}: ${wide ? wide.outerHTML.slice(0, 120) : 'the frame'}`;
});

// The text of a page that is hard to read, each colour once.
const faint = (page, least) => page.evaluate(least => {
  const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = colour => {
    const [r, g, b] = colour.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = new Map();
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest('script, style, button')) continue;
    const back = behind(element);
    const [a, b] = [light(over(parse(getComputedStyle(element).color), back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const key = `${getComputedStyle(element).color} on ${back.slice(0, 3).map(Math.round)}`;
    if (ratio < least && !found.has(key)) found.set(key, `${ratio.toFixed(2)}:1 (${key}): ${node.data.trim().slice(0, 40)}`);
  }
  return [...found.values()];
}, least);

// Every page, on a desk; then as wide as a telephone.
const desk = await browser.newContext({ viewport: { width: 1300, height: 1000 }, reducedMotion: 'reduce' });
for (const name of pages) {
  const page = await open(desk, name);
  const here = new URL(page.url());
  const found = await page.evaluate(() => ({
    ids: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.getAttribute('name')),
    links: [...document.querySelectorAll('a[href]')].map(a => a.href),
    title: document.title, heading: document.querySelector('main h1')?.textContent ?? '',
  }));
  if (!found.heading || !found.title) say(name, 'no title or no heading');
  anchors.set(here.pathname, new Set(found.ids));
  found.links.forEach(link => links.push([name, new URL(link)]));
  const wide = await overflow(page);
  if (wide) say(name, wide);
  await page.setViewportSize({ width: 390, height: 844 });
  const narrow = await overflow(page);
  if (narrow) say(name, `on a telephone ${narrow}`);
  await page.close();
}
for (const [name, url] of links) {
  if (url.origin !== new URL(home).origin) {
    if (!['https:', 'mailto:'].includes(url.protocol)) say(name, `a link by ${url.protocol} to ${url}`);
    continue;
  }
  const path = url.pathname.endsWith('/') ? `${url.pathname}index.html` : url.pathname;
  if (path === '/print.html') continue;
  const ids = anchors.get(path);
  if (!ids) say(name, `a link leads nowhere: ${url.pathname}`);
  else if (url.hash && !ids.has(decodeURIComponent(url.hash.slice(1)))) say(name, `no such place: ${url.pathname}${url.hash}`);
}

// Some pages, to be looked at.
await mkdir(shots, { recursive: true });
for (const colorScheme of ['light', 'dark']) {
  const context = await browser.newContext({ viewport: { width: 1300, height: 1000 }, colorScheme, reducedMotion: 'reduce' });
  for (const name of SEEN) {
    const page = await open(context, `${name}.html`);
    for (const text of await faint(page, READABLE)) say(`${name} (${colorScheme})`, `hard to read, ${text}`);
    const dark = await page.evaluate(() => document.documentElement.classList.contains('navy'));
    if (dark !== (colorScheme === 'dark')) say(name, `does not follow a reader who wants ${colorScheme}`);
    await page.screenshot({ path: join(shots, `${name.replaceAll('/', '-')}-${colorScheme}.png`) });
    if (name === 'tutorial') await page.screenshot({ path: join(shots, `${name}-${colorScheme}-whole.png`), fullPage: true });
    await page.close();
  }
  await context.close();
}
const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: 'light' });
const page = await open(phone, 'tutorial.html');
await page.screenshot({ path: join(shots, 'tutorial-telephone.png') });
// The search finds a rule.
const search = await open(desk, 'index.html?search=cuda_copy');
await search.waitForSelector('#mdbook-searchresults li, #searchresults li', { timeout: 15000 })
  .catch(() => say('index', 'the search finds nothing for `cuda_copy`'));
await browser.close();
server.close();

const once = [...new Set(wrong)];
once.slice(0, 40).forEach(line => console.log(line));
console.log(`${pages.length} pages, ${links.length} links, ${once.length} wrong; pictures in ${relative('.', shots)}`);
process.exit(once.length ? 1 : 0);
