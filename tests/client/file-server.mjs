// The door for files as the client meets it: requests that the test answers, or a server that stores what comes.

/** An `XMLHttpRequest` whose other end is *server*. */
export function requestsTo(server) {
  return class {
    upload = {};
    status = 0;
    #headers = {};
    open(method, url) {
      Object.assign(this, { method, url });
    }
    setRequestHeader(name, value) {
      this.#headers[name] = value;
    }
    getResponseHeader(name) {
      return this.answered?.[name] ?? null;
    }
    get token() {
      return this.#headers.Authorization;
    }
    async send(body) {
      this.body = body;
      if (body instanceof FormData) this.fields = Object.fromEntries([...body].map(([key, value]) => [key, value]));
      if (this.fields) this.bytes = new Uint8Array(await this.fields.file.arrayBuffer());
      server.asked.push(this);
      server.take?.(this);
    }
    abort() {
      this.isAborted = true;
      this.end(0);
    }
    end(status, response = null, answered = {}) {
      if (this.isOver) return;
      Object.assign(this, { isOver: true, status, response, answered });
      this.onloadend();
    }
  };
}

/** Takes uploads as the protocol says; `answer`, if there is one, comes first and may do something else. */
export class FileServer {
  asked = [];
  uploads = new Map(); // upload → {bytes, size, name}
  links = 0; // requests for links
  answer = () => false;

  take(request) {
    if (this.answer(request)) return;
    const path = new URL(request.url).pathname.split("/v1/files")[1];
    if (path === "/links") this.#link(request);
    else if (request.method === "POST") this.store(request);
    else this.#look(request, path.replace("/uploads/", ""));
  }

  /** Store the bytes of *request*, or the first *most* of them; its line is cut then. */
  store(request, most = Infinity) {
    const { upload, offset, size, file } = request.fields;
    const known = this.uploads.get(upload) ?? { bytes: [], size: Number(size), name: file.name };
    if (Number(offset) !== known.bytes.length) {
      request.end(409, { code: "id_conflict", message: "", offset: known.bytes.length });
      return;
    }
    const part = request.bytes.slice(0, most);
    known.bytes = [...known.bytes, ...part];
    this.uploads.set(upload, known);
    if (most < request.bytes.length) request.end(0);
    else if (known.bytes.length < known.size) request.end(202, { upload, offset: known.bytes.length });
    else request.end(201, described(upload, known));
  }

  #look(request, upload) {
    const known = this.uploads.get(upload);
    if (request.method === "DELETE") this.uploads.delete(upload);
    if (!known) request.end(404, { code: "invalid_message", message: "" });
    else if (request.method === "DELETE") request.end(204);
    else request.end(200, { upload, offset: known.bytes.length, size: known.size });
  }

  #link(request) {
    this.links += 1;
    const { files } = JSON.parse(request.body);
    const links = files.filter((id) => id !== "foreign").map((id) => [id, { url: `/chat/v1/files/${id}?key=${this.links}` }]);
    request.end(200, { links: Object.fromEntries(links), expires_in: 3600 });
  }
}

const described = (upload, { bytes, name }) => ({ file: `of-${upload}`, name, size: bytes.length, mime: "text/plain" });
