/**
 * A local stand-in for the part of the Supabase Management API that `supabase functions deploy
 * --use-api` calls. It keeps what the CLI uploads, and responds with 404 to requests that it does
 * not know.
 *
 * The shapes follow the API's reference,
 * https://supabase.com/docs/reference/api/v1-deploy-a-function and
 * https://supabase.com/docs/reference/api/v1-bulk-update-functions.
 * @module
 */

import { z } from "zod";

const uploadMetadata = z.object({
  name: z.string(),
  /** Path of the function's main module, relative to the folder of `supabase/`. */
  entrypoint_path: z.string(),
  import_map_path: z.string(),
  verify_jwt: z.boolean().optional(),
});

const bulkUpdate = z.array(z.looseObject({ slug: z.string(), verify_jwt: z.boolean().optional() }));

/** A function as the CLI uploaded it. */
export interface UploadedFunction {
  readonly slug: string;
  readonly metadata: z.infer<typeof uploadMetadata>;
  /** Contents by file name: a path with slashes, relative to the folder of `supabase/`. */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
}

/** A running stand-in. Disposing of it stops it. */
interface ManagementApi extends AsyncDisposable {
  /** The base URL, without a path. */
  readonly url: string;
  /** Everything that was uploaded, by slug. */
  readonly uploads: Map<string, UploadedFunction>;
  /** The slugs that have been put into service. */
  readonly deployed: Set<string>;
  /** Requests that the stand-in does not know, as "METHOD /path". */
  readonly unknownRequests: readonly string[];
}

/** Starts the stand-in for one project on a free port. It accepts only `accessToken`. */
export function startManagementApi(projectRef: string, accessToken: string): ManagementApi {
  const uploads: ManagementApi["uploads"] = new Map();
  const deployed: ManagementApi["deployed"] = new Set();
  const unknownRequests: string[] = [];
  const project = `/v1/projects/${projectRef}`;

  async function deploy(request: Request, query: URLSearchParams): Promise<Response> {
    const upload = await readUpload(query.get("slug") ?? "", await request.formData());
    uploads.set(upload.slug, upload);
    // The CLI bundles several functions one by one, and puts them into service with one bulk
    // update.
    if (query.get("bundleOnly") !== "true") deployed.add(upload.slug);
    return Response.json(describe(upload), { status: 201 });
  }

  async function updateAll(request: Request): Promise<Response> {
    const functions = bulkUpdate.parse(await request.json());
    for (const { slug, verify_jwt } of functions) {
      const upload = uploads.get(slug);
      if (!upload) return refusal(400, `Function ${slug} was not bundled`);
      upload.metadata.verify_jwt = verify_jwt;
      deployed.add(slug);
    }
    return Response.json({ functions });
  }

  async function respond(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (request.headers.get("authorization") !== `Bearer ${accessToken}`) {
      return refusal(401, "Unauthorized");
    }
    switch (`${request.method} ${pathname}`) {
      case `POST ${project}/functions/deploy`:
        return await deploy(request, searchParams);
      case `PUT ${project}/functions`:
        return await updateAll(request);
      case `GET ${project}/functions`:
        return Response.json([]);
      case `GET ${project}`:
        // The CLI asks for the project's name but does not need it. With a name it would record
        // this made-up project in supabase/.temp, where the repository may be linked to a real one.
        return refusal(404, "Project not found");
      default:
        unknownRequests.push(`${request.method} ${pathname}`);
        return refusal(404, `Cannot ${request.method} ${pathname}`);
    }
  }

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen() {},
    onError: (error) => refusal(400, String(error)),
  }, respond);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    uploads,
    deployed,
    unknownRequests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function readUpload(slug: string, form: FormData): Promise<UploadedFunction> {
  const files: UploadedFunction["files"] = new Map();
  for (const file of form.getAll("file")) {
    if (!(file instanceof File)) throw new TypeError("A form field named file is not a file");
    files.set(file.name, await file.bytes());
  }
  const metadata = uploadMetadata.parse(JSON.parse(String(form.get("metadata"))));
  return { slug, metadata, files };
}

function describe({ slug, metadata }: UploadedFunction) {
  const nowMs = Date.now();
  return {
    id: crypto.randomUUID(),
    slug,
    name: metadata.name,
    status: "ACTIVE",
    version: 1,
    created_at: nowMs,
    updated_at: nowMs,
    verify_jwt: metadata.verify_jwt ?? true,
    import_map: true,
    entrypoint_path: metadata.entrypoint_path,
    import_map_path: metadata.import_map_path,
  };
}

function refusal(status: number, message: string): Response {
  return Response.json({ message }, { status });
}
