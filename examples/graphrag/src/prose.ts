// An optional language model behind an OpenAI-compatible endpoint. It only words what was
// found; without one, or when it fails, the answer is made of the documents' own sentences.

export interface ProseConfig {
  baseUrl: string;
  apiKey: string | null;
  model: string;
  timeoutMs: number;
}

export type Prose = { ok: true; text: string } | { ok: false; reason: string };

const MAX_RESPONSE_CHARACTERS = 256 * 1024;

interface Completion {
  choices?: { message?: { content?: unknown } }[];
}

export class ProseModel {
  constructor(private readonly config: ProseConfig) {}

  /** Ask for prose about `material`. Never throws: a failure is returned with its reason. */
  async write(instruction: string, question: string, material: string): Promise<Prose> {
    try {
      const text = await this.complete([
        { role: 'system', content: instruction },
        { role: 'user', content: `Question: ${question}\n\nMaterial:\n${material}` },
      ]);
      return text === '' ? { ok: false, reason: 'the model sent an empty answer' } : { ok: true, text };
    } catch (error) {
      return { ok: false, reason: `the model did not answer: ${reasonOf(error, this.config.timeoutMs)}` };
    }
  }

  private async complete(messages: { role: string; content: string }[]): Promise<string> {
    const response = await fetch(`${this.config.baseUrl.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.config.apiKey === null ? {} : { authorization: `Bearer ${this.config.apiKey}` }),
      },
      body: JSON.stringify({ model: this.config.model, temperature: 0, messages }),
      signal: AbortSignal.timeout(this.config.timeoutMs),
    });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    const body = await response.text();
    if (body.length > MAX_RESPONSE_CHARACTERS) throw new Error('its answer is too long');
    const content = (JSON.parse(body) as Completion).choices?.[0]?.message?.content;
    return typeof content === 'string' ? content.trim() : '';
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `nothing came within ${timeoutMs} ms`;
  return error.cause instanceof Error ? error.cause.message : error.message;
}
