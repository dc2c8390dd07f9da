// Renders each SUMMARIES/*.md as GitHub does and writes pictures of it to PICTURES:
// node summary.mjs BROWSER SUMMARIES PICTURES [PNG]. It prints the problems of a summary, and then
// exits with 1: text that is cut off or needs scrolling sideways, Markdown that is shown
// as text, a list in a list, a table that lacks cells, or HTML that GitHub removes.
// PNG is the file for a picture of the nightly summary, for the README.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { chromium } from 'playwright-core'
import rehypeRaw from 'rehype-raw'
import rehypeSanitize, { defaultSchema } from 'rehype-sanitize'
import rehypeStringify from 'rehype-stringify'
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import remarkRehype from 'remark-rehype'
import { unified } from 'unified'

const [browser, summaryDir, pictureDir, readmePNG] = process.argv.slice(2)

// The default schema is modelled on GitHub's, but lacks wbr, which is in the list of
// allowed elements of GitHub's html-pipeline.
const schema = { ...defaultSchema, tagNames: [...defaultSchema.tagNames, 'wbr'] }

function toHTML (markdown, sanitize) {
  const pipeline = unified().use(remarkParse).use(remarkGfm).use(remarkRehype, { allowDangerousHtml: true }).use(rehypeRaw)
  if (sanitize) pipeline.use(rehypeSanitize, schema)
  return String(pipeline.use(rehypeStringify).processSync(markdown))
}

// Views. A phone is 390 pixels wide, with 16 of them as the page's margin on each side.
const views = [
  { name: 'light', theme: 'light', width: 1012, padding: 32, background: '#ffffff' },
  { name: 'dark', theme: 'dark', width: 1012, padding: 32, background: '#0d1117' },
  { name: 'phone', theme: 'light', width: 390, padding: 16, background: '#ffffff' }
]

function pageHTML (view, body) {
  const css = readFileSync(new URL(`node_modules/github-markdown-css/github-markdown-${view.theme}.css`, import.meta.url))
  return `<!doctype html><meta charset="utf-8"><style>${css}
    body { margin: 0; background: ${view.background} }
    .markdown-body { padding: ${view.padding}px; font-family: "Liberation Sans", "DejaVu Sans Mono", "Noto Color Emoji" }
    .markdown-body code, .markdown-body pre { font-family: "Liberation Mono" }</style>
    <article class="markdown-body">${body}</article>`
}

// problems runs in the page. It returns what is wrong with the layout and the elements.
function problems () {
  const found = []
  const article = document.querySelector('article')
  const quote = node => JSON.stringify(node.textContent.trim().slice(0, 60))
  if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} pixels wide`)
  for (const table of article.querySelectorAll('table')) {
    if (table.scrollWidth > table.clientWidth) {
      found.push(`a table needs scrolling: ${table.scrollWidth} pixels in ${table.clientWidth}: ${quote(table)}`)
    }
    const columns = table.querySelectorAll('th').length
    const rows = [...table.querySelectorAll('tr')].filter(row => !row.querySelector('th'))
    if (columns < 2 || rows.length === 0) found.push(`a table of ${columns} columns and ${rows.length} rows`)
    for (const row of rows) {
      const filled = [...row.cells].filter(cell => cell.textContent.trim() !== '')
      if (row.cells.length !== columns || filled.length === 0) found.push(`a row has ${filled.length} of ${columns} cells: ${quote(row)}`)
      if (row.cells[0].textContent.trim() === '') found.push(`a row without a name: ${quote(row)}`)
      for (const cell of row.cells) {
        if (cell.textContent.length > 160) found.push(`a cell of ${cell.textContent.length} characters: ${quote(cell)}`)
      }
    }
  }
  for (const item of article.querySelectorAll('li')) {
    if (item.querySelector('ul, ol')) found.push(`a list in a list: ${quote(item)}`)
    if (item.textContent.trim() === '') found.push('an empty item of a list')
  }
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT)
  const page = article.getBoundingClientRect()
  const outside = new Set() // blocks, each of which is reported once
  const padding = parseFloat(getComputedStyle(article).paddingLeft)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const block = node.parentElement.closest('pre, table') ?? node.parentElement
    if (block.tagName === 'PRE') continue // scrolls
    if (!node.parentElement.closest('code') && /\*\*|```|`|\]\(|<\w|&#?\w+;|^\s*#{1,6} /m.test(node.data)) {
      found.push(`markup is shown as text: ${quote(node)}`)
    }
    const box = (node.parentElement.closest('td, th') ?? article).getBoundingClientRect()
    const range = document.createRange()
    range.selectNodeContents(node)
    for (const rect of range.getClientRects()) {
      if (rect.width > 0 && (rect.right > Math.min(box.right, page.right - padding) + 1 || rect.left < box.left - 1)) {
        if (!outside.has(block)) found.push(`text leaves its box: ${quote(node)}`)
        outside.add(block)
        break
      }
    }
  }
  return found
}

// elementProblems checks the summary as GitHub reads it: one block of HTML, all of whose
// elements GitHub allows, with tables whose rows fit their header.
function elementProblems (summary) {
  const found = []
  if (!/^<h3>\S/.test(summary)) found.push('it does not begin with a heading')
  if (/\n\n/.test(summary)) found.push('an empty line ends the block of HTML')
  const tags = text => (text.match(/<[a-z]\w*/g) ?? []).sort()
  const [before, after] = [tags(summary), tags(toHTML(summary, true))]
  // The parser adds the bodies of tables, and no other element.
  const written = after.filter(tag => tag !== '<tbody')
  if (before.join() !== written.join()) found.push(`${before.length} elements are written, ${written.length} shown`)
  return found
}

// withText returns a PNG file with a text under a keyword, in a chunk after the header.
function withText (png, keyword, text) {
  const body = Buffer.from(`tEXt${keyword}\0${text}`, 'latin1')
  let crc = 0xffffffff // that of Node needs Node 20.15
  for (const byte of body) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length - 4) // of the data, without the type
  sum.writeUInt32BE(~crc >>> 0)
  const header = 8 + 4 + 4 + 13 + 4 // the signature and the chunk IHDR
  return Buffer.concat([png.subarray(0, header), length, body, sum, png.subarray(header)])
}

// readmePicture returns a picture of a summary, as wide as the README on GitHub. It names
// the hash of the summary, by which a test knows whether the picture is out of date.
async function readmePicture (page, summary) {
  const view = { ...views[0], width: 838 }
  await page.setViewportSize({ width: view.width, height: 200 })
  await page.setContent(pageHTML(view, toHTML(String(summary), true)))
  // The README has the same background, so that only a frame shows where the summary ends.
  await page.addStyleTag({ content: '.markdown-body { border: 1px solid #d1d9e0 }' })
  const found = await page.evaluate(problems)
  if (found.length > 0) throw new Error(`the picture for the README: ${found.join('; ')}`)
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  const session = await page.context().newCDPSession(page)
  const hash = createHash('sha256').update(summary).digest('hex')
  for (const deviceScaleFactor of [2, 1.5]) {
    await session.send('Emulation.setDeviceMetricsOverride', { width: view.width, height, deviceScaleFactor, mobile: false })
    const { data } = await session.send('Page.captureScreenshot')
    const png = withText(Buffer.from(data, 'base64'), 'Source', `sha256:${hash}`)
    if (png.length <= 300_000) return png
  }
  throw new Error('the picture for the README has more than 300,000 bytes')
}

const profile = mkdtempSync(join(tmpdir(), 'summary-'))
const context = await chromium.launchPersistentContext(profile, {
  executablePath: browser,
  headless: true,
  deviceScaleFactor: 2,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync']
})
let failed = 0
let pictures = 0
try {
  const page = await context.newPage()
  const files = readdirSync(summaryDir).filter(file => file.endsWith('.md')).sort()
  if (files.length === 0) throw new Error(`no summaries in ${summaryDir}`)
  for (const file of files) {
    const name = basename(file, '.md')
    const summary = readFileSync(join(summaryDir, file), 'utf8')
    const report = (place, list) => {
      for (const problem of list) console.error(`${name}, ${place}: ${problem}`)
      failed += list.length
    }
    report('elements', elementProblems(summary))
    for (const view of views) {
      await page.setViewportSize({ width: view.width, height: 200 })
      await page.setContent(pageHTML(view, toHTML(summary, true)))
      report(view.name, await page.evaluate(problems))
      await page.screenshot({ path: join(pictureDir, `${name}-${view.name}.png`), fullPage: true })
      // What is folded is looked at, too.
      await page.evaluate(() => document.querySelectorAll('details').forEach(details => { details.open = true }))
      report(view.name + ', unfolded', await page.evaluate(problems))
      await page.screenshot({ path: join(pictureDir, `${name}-${view.name}-unfolded.png`), fullPage: true })
      pictures += 2
    }
  }
  if (readmePNG) writeFileSync(readmePNG, await readmePicture(page, readFileSync(join(summaryDir, 'nightly.md'))))
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
console.log(`${pictures} pictures in ${pictureDir}, ${failed} problems`)
process.exit(failed > 0 ? 1 : 0)
