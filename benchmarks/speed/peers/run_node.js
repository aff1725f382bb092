// human and face-api on their wasm backends: job in, answer out, as frames.py does it for Python.
//     node run_node.js JOB ANSWER human|tiny|ssd MODULES
const fs = require('fs');
const http = require('http');
const path = require('path');

const [job, out, which, modules] = process.argv.slice(2);
const WARM = 3;
const load = (name) => require(path.join(modules, name));
const best = (scores) => Object.entries(scores).sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';

// human's wasm build fetches its models: from this process itself, on a port of this machine.
function served(folder) {
  const server = http.createServer((request, reply) => reply.end(fs.readFileSync(path.join(folder, path.basename(request.url)))));
  server.unref();
  return new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(`http://127.0.0.1:${server.address().port}/`)));
}

async function human() {
  const { Human } = load('@vladmandic/human/dist/human.node-wasm.js');
  const models = await served(path.join(modules, '@vladmandic/human/models'));
  const wasm = path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/');
  // What reads faces stays on, as it comes; bodies, hands, eyes' irises, age and names are off.
  const off = { enabled: false };
  const net = new Human({
    backend: 'wasm', wasmPath: wasm, modelBasePath: models, debug: false, async: true, cacheSensitivity: 0,
    filter: off, gesture: off, body: off, hand: off, object: off, segmentation: off,
    face: { enabled: true, detector: { maxDetected: 50 }, mesh: { enabled: true }, iris: off, description: off,
      emotion: { enabled: true } },
  });
  await net.load();
  return async (data, height, width) => {
    const tensor = net.tf.tensor3d(data, [height, width, 3], 'int32');
    const result = await net.detect(tensor);
    net.tf.dispose(tensor);
    return result.face.map((f) => [...f.box, f.emotion?.[0]?.emotion ?? '']);
  };
}

async function faceapi() {
  const wasm = load('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
  const api = load('@vladmandic/face-api/dist/face-api.node-wasm.js');
  await api.tf.setBackend('wasm');
  await api.tf.ready();
  const models = path.join(modules, '@vladmandic/face-api/model');
  await (which === 'tiny' ? api.nets.tinyFaceDetector : api.nets.ssdMobilenetv1).loadFromDisk(models);
  await api.nets.faceExpressionNet.loadFromDisk(models);
  const options = which === 'tiny' ? new api.TinyFaceDetectorOptions() : new api.SsdMobilenetv1Options();
  return async (data, height, width) => {
    const tensor = api.tf.tensor3d(data, [height, width, 3], 'int32');
    const found = await api.detectAllFaces(tensor, options).withFaceExpressions();
    api.tf.dispose(tensor);
    return found.map((f) => {
      const { x, y, width: w, height: h } = f.detection.box;
      return [x, y, w, h, best(f.expressions)];
    });
  };
}

async function main() {
  const { clips } = JSON.parse(fs.readFileSync(job));
  const answer = await (which === 'human' ? human() : faceapi());
  const answers = [];
  for (const clip of clips) {
    const size = clip.height * clip.width * 3;
    const file = fs.openSync(clip.file);
    const read = (k) => {
      const frame = Buffer.alloc(size);
      fs.readSync(file, frame, 0, size, k * size);
      return new Uint8Array(frame.buffer, frame.byteOffset, size);
    };
    for (let i = 0; i < (clip.timed ? WARM : 0); i++) await answer(read(0), clip.height, clip.width);
    const faces = [];
    let [cpu, wall] = [0, 0];
    for (let k = 0; k < clip.frames; k++) {
      const frame = read(k);
      const [busy, began] = [process.cpuUsage(), performance.now()];
      faces.push(await answer(frame, clip.height, clip.width));
      const spent = process.cpuUsage(busy);
      cpu += (spent.user + spent.system) / 1e6;
      wall += (performance.now() - began) / 1e3;
    }
    fs.closeSync(file);
    answers.push({ name: clip.name, cpu, wall, peak: process.resourceUsage().maxRSS / 1024, faces });
  }
  fs.writeFileSync(out, JSON.stringify({ clips: answers }));
}

main().catch((error) => { console.error(error); process.exit(1); });
