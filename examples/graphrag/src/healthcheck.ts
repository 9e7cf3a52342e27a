// For HEALTHCHECK: exit 0 when the service on this machine's PORT says it is well.
const port = process.env['PORT'] || '3000';

try {
  const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(3000) });
  const body = (await response.json()) as { status?: unknown };
  if (response.status !== 200 || body.status !== 'ok') throw new Error(`HTTP status ${response.status}`);
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  console.error(`unhealthy: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exitCode = 1;
}
