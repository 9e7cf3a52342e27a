// Configuration from the environment, checked once at the start.
import { resolve } from 'node:path';
import type { ProseConfig } from './prose.js';

export interface Config {
  host: string;
  port: number;
  dataDir: string;
  /** A folder of documents to start with, or null. */
  seedDir: string | null;
  publicDir: string;
  maxDocuments: number;
  maxBodyBytes: number;
  logLevel: string;
  /** The language model, or null: off unless OPENAI_BASE_URL is set. */
  prose: ProseConfig | null;
}

type Environment = Record<string, string | undefined>;

function integer(env: Environment, name: string, fallback: number, min: number, max: number): number {
  const raw = env[name];
  if (raw === undefined || raw === '') return fallback;
  const value = Number(raw);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`${name} must be a whole number from ${min} to ${max}, not "${raw}"`);
  return value;
}

function oneOf(env: Environment, name: string, fallback: string, allowed: string[]): string {
  const value = env[name] || fallback;
  if (!allowed.includes(value)) throw new Error(`${name} must be one of ${allowed.join(', ')}, not "${value}"`);
  return value;
}

function proseFrom(env: Environment): ProseConfig | null {
  const baseUrl = env['OPENAI_BASE_URL'];
  if (!baseUrl) return null;
  if (!URL.canParse(baseUrl) || !/^https?:/.test(baseUrl))
    throw new Error(`OPENAI_BASE_URL must be an http or https address, not "${baseUrl}"`);
  return {
    baseUrl,
    apiKey: env['OPENAI_API_KEY'] || null,
    model: env['OPENAI_MODEL'] || 'gpt-4o-mini',
    timeoutMs: integer(env, 'OPENAI_TIMEOUT_MS', 15_000, 100, 600_000),
  };
}

export function readConfig(env: Environment): Config {
  return {
    host: env['HOST'] || '0.0.0.0',
    port: integer(env, 'PORT', 3000, 0, 65535),
    dataDir: resolve(env['DATA_DIR'] || 'data'),
    seedDir: env['SEED_DIR'] === '' ? null : resolve(env['SEED_DIR'] ?? 'seed'),
    publicDir: resolve(env['PUBLIC_DIR'] || 'public'),
    maxDocuments: integer(env, 'MAX_DOCUMENTS', 10_000, 1, 1_000_000),
    maxBodyBytes: integer(env, 'MAX_BODY_BYTES', 1_048_576, 1024, 67_108_864),
    logLevel: oneOf(env, 'LOG_LEVEL', 'info', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    prose: proseFrom(env),
  };
}
