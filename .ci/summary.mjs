// Renders each SUMMARIES/*.md as GitHub does and writes pictures of it to PICTURES:
// node summary.mjs BROWSER SUMMARIES PICTURES TEXTS README. It prints the problems of a summary, and then
// exits with 1: text that is cut off or needs scrolling sideways, Markdown that is shown
// as text, a list in a list, a table that lacks cells, or HTML that GitHub removes.
// Each TEXTS/*.md becomes two pictures for the README, in the directory README.
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
import sharp from 'sharp'
import { unified } from 'unified'

const [browser, summaryDir, pictureDir, textDir, readmeDir] = process.argv.slice(2)

// The default schema is modelled on GitHub's, but lacks wbr, which is in the list of
// allowed elements of GitHub's html-pipeline.
const schema = { ...defaultSchema, tagNames: [...defaultSchema.tagNames, 'wbr'] }

function toHTML (markdown) {
  return String(unified().use(remarkParse).use(remarkGfm).use(remarkRehype, { allowDangerousHtml: true })
    .use(rehypeRaw).use(rehypeSanitize, schema).use(rehypeStringify).processSync(markdown))
}

// Views. A phone is 390 pixels wide, with 16 of them as the page's margin on each side.
const views = [
  { name: 'light', theme: 'light', width: 1012, padding: 32, background: '#ffffff' },
  { name: 'dark', theme: 'dark', width: 1012, padding: 32, background: '#0d1117' },
  { name: 'phone', theme: 'light', width: 390, padding: 16, background: '#ffffff' }
]
// Those of the README are narrow, to be read on a phone, too. A row of the log fits in.
const readmeViews = [
  { ...views[0], name: 'README', suffix: '', width: 568, padding: 16 },
  { ...views[1], name: 'README, dark', suffix: '-dark', width: 568, padding: 16 }
]
// The log wraps as in GitHub's viewer.
const readmeStyle = `.markdown-body { border: 1px solid #80808060 }
  .markdown-body > pre { padding: 0; background: none; font-size: 12px }
  .markdown-body > pre > code { white-space: pre-wrap }`

function pageHTML (view, body, style) {
  const css = readFileSync(new URL(`node_modules/github-markdown-css/github-markdown-${view.theme}.css`, import.meta.url))
  return `<!doctype html><meta charset="utf-8"><style>${css}
    body { margin: 0; background: ${view.background} }
    .markdown-body { padding: ${view.padding}px; font-family: "Liberation Sans", "DejaVu Sans Mono", "Noto Color Emoji" }
    .markdown-body code, .markdown-body pre { font-family: "Liberation Mono" } ${style}</style>
    <article class="markdown-body">${body}</article>`
}

// problems runs in the page. It returns the faults of the layout and the elements.
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
  const [before, after] = [tags(summary), tags(toHTML(summary))]
  // The parser adds the bodies of tables, and no other element.
  const written = after.filter(tag => tag !== '<tbody')
  if (before.join() !== written.join()) found.push(`${before.length} elements are written, ${written.length} shown`)
  return found
}

// writeSmall writes a picture with fewer colors. It names the hash of its text, by which a test knows whether it is
// out of date.
async function writeSmall (path, png, text) {
  const hash = createHash('sha256').update(text).digest('hex')
  await sharp(png).png({ palette: true }).withExif({ IFD0: { ImageDescription: `sha256:${hash}` } }).toFile(path)
}

// markdown returns the names and texts of the files in a directory.
function markdown (dir) {
  const files = readdirSync(dir).sort()
  if (files.length === 0) throw new Error(`no files in ${dir}`)
  return files.map(file => [basename(file, '.md'), readFileSync(join(dir, file), 'utf8')])
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
  const report = (place, list) => {
    for (const problem of list) console.error(`${place}: ${problem}`)
    failed += list.length
  }
  const picture = async (name, text, view, style = '') => {
    await page.setViewportSize({ width: view.width, height: 1 })
    await page.setContent(pageHTML(view, toHTML(text), style))
    report(`${name}, ${view.name}`, await page.evaluate(problems))
    pictures++
    return page.screenshot({ fullPage: true })
  }
  const summaries = markdown(summaryDir)
  for (const [name, summary] of summaries) report(`${name}, elements`, elementProblems(summary))
  // Folded parts are looked at, too.
  const unfolded = summaries.map(([name, text]) => [`${name}-unfolded`, text.replaceAll('<details>', '<details open>')])
  // The browser takes a second or two for a change of the width.
  for (const view of views) {
    for (const [name, summary] of [...summaries, ...unfolded]) {
      writeFileSync(join(pictureDir, `${name}-${view.name}.png`), await picture(name, summary, view))
    }
  }
  for (const view of readmeViews) {
    for (const [name, text] of markdown(textDir)) {
      await writeSmall(join(readmeDir, `${name}${view.suffix}.png`), await picture(name, text, view, readmeStyle), text)
    }
  }
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
console.log(`${pictures} pictures, ${failed} problems`)
process.exit(failed > 0 ? 1 : 0)
