// What requests must look like, and what is said about those that do not.

const NOT_BLANK = '\\S';
/** JSON can hold NUL and halves of UTF-16 pairs; a text that does is a binary file or was cut apart. */
const UNICODE_TEXT = '^[^\\0\\p{Cs}]*$';
const COUNT = '^[1-9][0-9]{0,3}$';

const said = { type: 'string', allOf: [{ pattern: NOT_BLANK }, { pattern: UNICODE_TEXT }] } as const;
const title = { ...said, maxLength: 200 } as const;

export const documentBody = {
  type: 'object',
  required: ['text'],
  additionalProperties: false,
  properties: { text: said, title, format: { enum: ['text', 'markdown'] } },
} as const;

export const documentQuery = { type: 'object', properties: { title } } as const;

export const queryBody = {
  type: 'object',
  required: ['question'],
  additionalProperties: false,
  properties: {
    question: { ...said, minLength: 2, maxLength: 1000 },
    mode: { enum: ['local', 'global'] },
    limit: { type: 'integer', minimum: 1, maximum: 20 },
  },
} as const;

export const graphQuery = {
  type: 'object',
  additionalProperties: false,
  properties: {
    entity: { type: 'string', minLength: 1, maxLength: 200 },
    limit: { type: 'string', pattern: COUNT },
  },
} as const;

/** An error as Ajv reports it, as far as it is read here. */
interface SchemaError {
  keyword?: string;
  instancePath?: string;
  message?: string;
  params?: Record<string, unknown>;
}

const TYPES: Record<string, string> = { object: 'a JSON object', string: 'a text', integer: 'a whole number' };
const PATTERNS: Record<string, string> = {
  [NOT_BLANK]: 'must not be blank',
  [UNICODE_TEXT]: 'must be Unicode text: it holds a NUL character or half of a surrogate pair',
  [COUNT]: 'must be a whole number from 1 to 9999',
};

function characters(limit: unknown): string {
  return limit === 1 ? '1 character' : `${String(limit)} characters`;
}

/** What one schema's error says about the value, in words. */
function wordsFor({ keyword = '', params = {}, message = 'is not valid' }: SchemaError): string {
  switch (keyword) {
    case 'type':
      return `must be ${TYPES[String(params['type'])] ?? String(params['type'])}`;
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
    case 'pattern':
      return PATTERNS[String(params['pattern'])] ?? message;
    case 'minLength':
      return `must have at least ${characters(params['limit'])}`;
    case 'maxLength':
      return `must have at most ${characters(params['limit'])}`;
    case 'minimum':
      return `must be ${String(params['limit'])} or more`;
    case 'maximum':
      return `must be ${String(params['limit'])} or less`;
    default:
      return message;
  }
}

/** What a schema found wrong with the "body" or the "querystring": `"question" must not be blank`. */
export function complaint(part: string, errors: readonly SchemaError[] | null | undefined): string {
  const error = errors?.[0] ?? {};
  const whole = part === 'body' ? 'the body' : part === 'querystring' ? 'the query' : part;
  const { missingProperty, additionalProperty } = error.params ?? {};
  if (typeof missingProperty === 'string') return `"${missingProperty}" is missing in ${whole}`;
  if (typeof additionalProperty === 'string') return `${whole} must not have "${additionalProperty}"`;
  const name = (error.instancePath ?? '').slice(1);
  return `${name === '' ? whole : `"${name}"`} ${wordsFor(error)}`;
}
