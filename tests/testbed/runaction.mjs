// Runs a composite action's steps as GitHub's runner does, on this machine: expressions by GitHub's own
// evaluator, steps of shell bash, files for outputs and paths, and actions/github-script as the one
// action it knows.
//
// usage: node runaction.mjs MODULES ACTION-FOLDER [INPUT=VALUE]...
//
// The environment is the runner's (GITHUB_*, RUNNER_*, ACTIONS_*); as there, steps of a shell are told of
// no ACTIONS_* variable. The action's outputs are the last line, as JSON; the exit code is the failed step's.
import {execFileSync, spawnSync} from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {createRequire} from 'node:module'

const [modules, folder, ...words] = process.argv.slice(2)
const require = createRequire(path.join(path.resolve(modules), 'x.js'))
const {Parser, Lexer, Evaluator, data} = await import(path.join(path.resolve(modules), '@actions/expressions/dist/index.js'))
const yaml = require('yaml')
const action = yaml.parse(fs.readFileSync(path.join(folder, 'action.yml'), 'utf8'))
const temporary = fs.mkdtempSync(path.join(process.env.RUNNER_TEMP || os.tmpdir(), 'runner-'))
const steps = {}

function given() {
  const inputs = {}
  for (const [name, input] of Object.entries(action.inputs)) inputs[name] = input.default ?? ''
  for (const word of words) {
    const at = word.indexOf('=')
    if (!(word.slice(0, at) in inputs)) throw new Error(`the action has no input ${word.slice(0, at)}`)
    inputs[word.slice(0, at)] = word.slice(at + 1)
  }
  for (const name in inputs) inputs[name] = expand(inputs[name], {})
  return inputs
}

function dictionary(object) {
  return new data.Dictionary(...Object.entries(object).map(([key, value]) => ({
    key, value: typeof value === 'object' ? dictionary(value) : new data.StringData(String(value))
  })))
}

function evaluate(text, inputs) {
  const github = {
    action_path: path.resolve(folder), action_ref: '', action_repository: '', token: process.env.GITHUB_TOKEN ?? ''
  }
  const context = {github, inputs, steps}
  const parser = new Parser(new Lexer(text).lex().tokens, Object.keys(context), [])
  return new Evaluator(parser.parse(), dictionary(context)).evaluate().coerceString()
}

function expand(value, inputs) {
  return String(value).replace(/\$\{\{(.*?)\}\}/gs, (_, text) => evaluate(text.trim(), inputs))
}

// NAME=VALUE lines, and NAME<<END blocks.
function readOutputs(file) {
  const outputs = {}
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  for (let i = 0; i < lines.length; i++) {
    const block = lines[i].match(/^([^=]+?)<<(.+)$/)
    if (block) {
      const end = lines.indexOf(block[2], i + 1)
      outputs[block[1]] = lines.slice(i + 1, end).join('\n')
      i = end
    } else if (lines[i].includes('=')) {
      outputs[lines[i].slice(0, lines[i].indexOf('='))] = lines[i].slice(lines[i].indexOf('=') + 1)
    }
  }
  return outputs
}

function runShell(step, env) {
  const script = path.join(temporary, 'script.sh')
  fs.writeFileSync(script, step.run)
  return spawnSync('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', script], {env, stdio: 'inherit'}).status ?? 1
}

// What the script is given of @actions/core is what action.yml uses.
function runScript(step, inputs, file) {
  const core = `const core = {
    setSecret(s) { if (s) console.log('::add-mask::' + s) },
    setOutput(k, v) { require('fs').appendFileSync(${JSON.stringify(file)}, k + '=' + v + '\\n') }}`
  execFileSync(process.execPath, ['-e', `${core}\n${expand(step.with.script, inputs)}`], {stdio: 'inherit'})
  return 0
}

function runStep(step, inputs, number) {
  const file = path.join(temporary, `output-${number}`)
  fs.writeFileSync(file, '')
  if (step.uses && !/^actions\/github-script@/.test(step.uses)) throw new Error(`${step.uses} is not known here`)
  let code
  if (step.uses) {
    code = runScript(step, inputs, file)
  } else {
    const env = {...process.env, GITHUB_OUTPUT: file, GITHUB_ACTION_PATH: path.resolve(folder)}
    for (const name in env) if (name.startsWith('ACTIONS_')) delete env[name]
    for (const name in step.env) env[name] = expand(step.env[name], inputs)
    code = runShell(step, env)
  }
  if (step.id) steps[step.id] = {outputs: readOutputs(file)}
  return code
}

const inputs = given()
let code = 0
for (const [number, step] of action.runs.steps.entries()) {
  if (step.id) steps[step.id] = {outputs: {}}
  if (code === 0 && (!step.if || evaluate(step.if, inputs) === 'true')) code = runStep(step, inputs, number)
}
const outputs = {}
for (const name in action.outputs) outputs[name] = expand(action.outputs[name].value, inputs)
fs.rmSync(temporary, {recursive: true})
console.log(JSON.stringify(outputs))
process.exit(code)
