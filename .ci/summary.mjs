// Renders each MARKDOWN/*.md as GitHub does and writes pictures of it to PICTURES:
// node summary.mjs MARKDOWN PICTURES. It prints what is wrong with a summary, and then
// exits with 1: text that is cut off or needs scrolling sideways, Markdown that is shown
// as text, a list in a list, a table that lacks cells, or HTML that GitHub removes.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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

const [markdownDir, pictureDir] = process.argv.slice(2)

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
    const columns = table.querySelectorAll('thead th').length
    const rows = [...table.querySelectorAll('tbody tr')]
    if (columns < 2 || rows.length === 0) found.push(`a table of ${columns} columns and ${rows.length} rows`)
    for (const row of rows) {
      const filled = [...row.cells].filter(cell => cell.textContent.trim() !== '')
      if (row.cells.length !== columns || filled.length === 0) found.push(`a row has ${filled.length} of ${columns} cells: ${quote(row)}`)
      if (row.cells[0].textContent.trim() === '') found.push(`a row without a name: ${quote(row)}`)
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
    if (!node.parentElement.closest('code') && /\*\*|```|`|\]\(|<\w|&#?\w+;|\| ?---|^\s*#{1,6} /m.test(node.data)) {
      found.push(`Markdown is shown as text: ${quote(node)}`)
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

// elementProblems compares the elements with the Markdown that was to make them.
function elementProblems (markdown) {
  const found = []
  const html = toHTML(markdown, true)
  const tags = text => (text.match(/<[a-z]\w*/g) ?? []).sort()
  const [before, after] = [tags(toHTML(markdown, false)), tags(html)]
  if (before.join() !== after.join()) found.push(`GitHub removes ${before.length - after.length} of ${before.length} elements`)
  for (const [tag, source] of [
    ['h3', /^### /gm], ['h4', /^#### /gm], ['table', /^\|( -+:? \|)+$/gm], ['tr', /^\| (?!-)/gm],
    ['details', /^<details>/gm], ['summary', /<summary>/g], ['pre', /^```\w/gm], ['li', /^- /gm]
  ]) {
    const outside = tag === 'pre' ? markdown : markdown.replace(/^```\w[^]*?^```$/gm, '')
    const want = (outside.match(source) ?? []).length
    const got = after.filter(t => t === '<' + tag).length
    if (got !== want) found.push(`${got} elements ${tag}, want ${want}`)
  }
  // GitHub drops the cells of a row that the header has no column for, and adds those that are missing.
  let bars = 0
  for (const line of markdown.split('\n')) {
    const got = line.startsWith('|') ? line.match(/(?<!\\)\|/g).length : 0
    if (bars > 0 && got > 0 && got !== bars) found.push(`a row has ${got - 1} cells, want ${bars - 1}: ${line.slice(0, 60)}`)
    bars = got > 0 && bars > 0 ? bars : got
  }
  if (!/^### \S/.test(markdown)) found.push('it does not begin with a heading')
  return found
}

const profile = mkdtempSync(join(tmpdir(), 'summary-'))
const context = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  deviceScaleFactor: 2,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync']
})
let failed = 0
let pictures = 0
try {
  const page = await context.newPage()
  const files = readdirSync(markdownDir).filter(file => file.endsWith('.md')).sort()
  if (files.length === 0) throw new Error(`no summaries in ${markdownDir}`)
  for (const file of files) {
    const name = basename(file, '.md')
    const markdown = readFileSync(join(markdownDir, file), 'utf8')
    const report = (place, list) => {
      for (const problem of list) console.error(`${name}, ${place}: ${problem}`)
      failed += list.length
    }
    report('elements', elementProblems(markdown))
    for (const view of views) {
      await page.setViewportSize({ width: view.width, height: 200 })
      await page.setContent(pageHTML(view, toHTML(markdown, true)))
      report(view.name, await page.evaluate(problems))
      await page.screenshot({ path: join(pictureDir, `${name}-${view.name}.png`), fullPage: true })
      // What is folded is looked at, too.
      await page.evaluate(() => document.querySelectorAll('details').forEach(details => { details.open = true }))
      report(view.name + ', unfolded', await page.evaluate(problems))
      await page.screenshot({ path: join(pictureDir, `${name}-${view.name}-unfolded.png`), fullPage: true })
      pictures += 2
    }
  }
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
console.log(`${pictures} pictures in ${pictureDir}, ${failed} problems`)
process.exit(failed > 0 ? 1 : 0)
