// The JavaScript client, unmodified, against the cluster of KUBECONFIG; with TEST_IMAGE also against a pod on its node.
import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const image = process.env.TEST_IMAGE;
let namespace;

async function eventually(check, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; ; await sleep(50)) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${check}`);
  }
}

const orNothing = (promise) => promise.catch((e) => { if (e.code !== 404) throw e; });
const configMap = (name, data, labels) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data });

before(async () => {
  const made = await core.createNamespace({ body: { metadata: { generateName: 'js-' } } });
  namespace = made.metadata.name;
  await eventually(() => orNothing(core.readNamespacedServiceAccount({ name: 'default', namespace })));
});

after(async () => {
  await core.deleteNamespace({ name: namespace });
});

test('an object lives through create, read, replace and delete', async () => {
  const made = await core.createNamespacedConfigMap({ namespace, body: configMap('m', { a: '1' }) });
  assert.ok(made.metadata.uid && made.metadata.creationTimestamp instanceof Date);
  made.data.b = '2';
  const replaced = await core.replaceNamespacedConfigMap({ name: 'm', namespace, body: made });
  assert.deepEqual(replaced.data, { a: '1', b: '2' });
  await assert.rejects(core.replaceNamespacedConfigMap({ name: 'm', namespace, body: made }), { code: 409 });
  const gone = await core.deleteNamespacedConfigMap({ name: 'm', namespace });
  assert.equal(gone.status, 'Success');
  await assert.rejects(core.readNamespacedConfigMap({ name: 'm', namespace }), (e) => {
    const status = typeof e.body === 'string' ? JSON.parse(e.body) : e.body;
    assert.equal(status.message, 'configmaps "m" not found');
    return e.code === 404;
  });
});

test('patches of each kind', async () => {
  const labels = { app: 'd' };
  await apps.createNamespacedDeployment({ namespace, body: {
    metadata: { name: 'd' },
    spec: { replicas: 1, selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.test/none:1' }] } } } } });
  const patch = (strategy, body, more = {}) => apps.patchNamespacedDeployment({ name: 'd', namespace, body, ...more },
    k8s.setHeaderOptions('Content-Type', strategy));
  let d = await patch(k8s.PatchStrategy.JsonPatch, [{ op: 'replace', path: '/spec/replicas', value: 0 }]);
  assert.equal(d.spec.replicas, 0);
  const side = { spec: { template: { spec: { containers: [{ name: 'side', image: 'example.test/s:1' }] } } } };
  d = await patch(k8s.PatchStrategy.StrategicMergePatch, side);
  assert.equal(d.spec.template.spec.containers.length, 2);
  d = await patch(k8s.PatchStrategy.MergePatch, side);
  assert.equal(d.spec.template.spec.containers.length, 1);
  const mine = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec: { replicas: 3 } };
  await assert.rejects(patch(k8s.PatchStrategy.ServerSideApply, mine, { fieldManager: 'js' }), { code: 409 });
  d = await patch(k8s.PatchStrategy.ServerSideApply, mine, { fieldManager: 'js', force: true });
  assert.equal(d.spec.replicas, 3);
  await eventually(async () => (await core.listNamespacedPod({ namespace, labelSelector: 'app=d' })).items.length === 3);
  await apps.deleteNamespacedDeployment({ name: 'd', namespace, propagationPolicy: 'Foreground' });
  await eventually(async () => (await core.listNamespacedPod({ namespace, labelSelector: 'app=d' })).items.length === 0);
});

test('pages and selectors', async () => {
  for (let i = 0; i < 5; i++) await core.createNamespacedConfigMap({ namespace, body: configMap(`p-${i}`, {}, { page: 'yes' }) });
  const names = [];
  for (let _continue; ;) {
    const page = await core.listNamespacedConfigMap({ namespace, labelSelector: 'page=yes', limit: 2, _continue });
    names.push(...page.items.map((m) => m.metadata.name));
    _continue = page.metadata._continue;
    if (!_continue) break;
  }
  assert.deepEqual(names, ['p-0', 'p-1', 'p-2', 'p-3', 'p-4']);
  assert.equal((await core.listNamespacedConfigMap({ namespace, fieldSelector: 'metadata.name=p-3' })).items.length, 1);
});

test('a watch sees every change in order', async () => {
  const seen = [];
  let ended;
  const list = await core.listNamespacedConfigMap({ namespace });
  const query = { resourceVersion: list.metadata.resourceVersion, fieldSelector: 'metadata.name=w', timeoutSeconds: 30 };
  const watching = await new k8s.Watch(config).watch(`/api/v1/namespaces/${namespace}/configmaps`, query,
    (phase, object) => seen.push(`${phase} ${JSON.stringify(object.data ?? null)}`), (error) => { ended = error ?? 'ended'; });
  await core.createNamespacedConfigMap({ namespace, body: configMap('w') });
  await core.patchNamespacedConfigMap({ name: 'w', namespace, body: { data: { x: 'y' } } }, k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch));
  await core.deleteNamespacedConfigMap({ name: 'w', namespace });
  await eventually(() => seen.length === 3);
  assert.deepEqual(seen, ['ADDED null', 'MODIFIED {"x":"y"}', 'DELETED {"x":"y"}']);
  assert.equal(ended, undefined);
  watching.abort();
});

test('an informer follows', async () => {
  await core.createNamespacedConfigMap({ namespace, body: configMap('i-0', { n: '0' }, { informed: 'yes' }) });
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'informed=yes' });
  const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, 'informed=yes');
  const events = [];
  for (const verb of ['add', 'update', 'delete']) informer.on(verb, (o) => events.push(`${verb} ${o.metadata.name}`));
  informer.on('error', (e) => { if (e?.name !== 'AbortError') events.push(`error ${e}`); }); // stop() aborts
  await informer.start();
  await core.createNamespacedConfigMap({ namespace, body: configMap('i-1', { n: '1' }, { informed: 'yes' }) });
  await eventually(() => informer.get('i-1', namespace));
  await core.patchNamespacedConfigMap({ name: 'i-1', namespace, body: { data: { n: '2' } } }, k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch));
  await eventually(() => informer.get('i-1', namespace).data.n === '2');
  await core.deleteNamespacedConfigMap({ name: 'i-0', namespace });
  await eventually(() => !informer.get('i-0', namespace));
  await informer.stop();
  assert.deepEqual(events, ['add i-0', 'add i-1', 'update i-1', 'delete i-0']);
});

test('objects of any kind, with server-side apply', async () => {
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'boxes.clients.example.com' },
    spec: { group: 'clients.example.com', scope: 'Namespaced', names: { plural: 'boxes', singular: 'box', kind: 'Box' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object',
        properties: { size: { type: 'integer' }, items: { type: 'array', x_kubernetes_list_type: 'set', items: { type: 'string' } } } } } } } }] } };
  await objects.create(crd);
  try {
    await eventually(async () => (await objects.read(crd)).status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True'));
    const box = (spec) => ({ apiVersion: 'clients.example.com/v1', kind: 'Box', metadata: { name: 'b', namespace }, spec });
    const apply = (manager, spec, force) => objects.patch(box(spec), undefined, undefined, manager, force, k8s.PatchStrategy.ServerSideApply);
    await apply('one', { size: 1, items: ['a'] });
    const both = await apply('two', { items: ['b'] });
    assert.deepEqual([both.spec.size, both.spec.items.toSorted()], [1, ['a', 'b']]);
    await assert.rejects(apply('two', { size: 2 }), { code: 409 });
    assert.deepEqual((await apply('two', { size: 2 }, true)).spec, { size: 2, items: ['a'] });
    assert.equal((await objects.list('clients.example.com/v1', 'Box', namespace)).items.length, 1);
    const replaced = await objects.read(box());
    replaced.spec.size = 5;
    assert.equal((await objects.replace(replaced)).spec.size, 5);
    const custom = config.makeApiClient(k8s.CustomObjectsApi);
    const at = { group: 'clients.example.com', version: 'v1', namespace, plural: 'boxes' };
    assert.equal((await custom.listNamespacedCustomObject(at)).items[0].spec.size, 5);
    await objects.delete(box());
    await assert.rejects(objects.read(box()), { code: 404 });
  } finally {
    await objects.delete(crd);
  }
});

describe('on a node', { skip: image ? false : 'no node' }, () => {
  const name = 'p';
  before(async () => {
    const script = 'mkdir /tmp/w; echo served > /tmp/w/index.html; httpd -p 8080 -h /tmp/w; echo started; while read x; do echo got $x; done; sleep 1000';
    await core.createNamespacedPod({ namespace, body: { metadata: { name }, spec: { terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image, imagePullPolicy: 'IfNotPresent', stdin: true, command: ['/bin/sh', '-c', script] }] } } });
    await eventually(async () => (await core.readNamespacedPod({ name, namespace })).status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
  });

  const collector = () => {
    let text = '';
    const stream = new Writable({ write(chunk, _encoding, done) { text += chunk; done(); } });
    return { stream, text: () => text };
  };
  const exec = (command, stdin) => new Promise((resolve, reject) => {
    const out = collector(), err = collector();
    new k8s.Exec(config).exec(namespace, name, 'c', command, out.stream, err.stream, stdin ?? null, false,
      (status) => resolve({ status, out: out.text(), err: err.text() })).catch(reject);
  });

  test('exec', async () => {
    const said = await exec(['/bin/sh', '-c', 'echo out; echo err >&2']);
    assert.deepEqual([said.status.status, said.out, said.err], ['Success', 'out\n', 'err\n']);
    const failed = await exec(['/bin/sh', '-c', 'exit 7']);
    assert.equal(failed.status.status, 'Failure');
    assert.equal(failed.status.details.causes.find((c) => c.reason === 'ExitCode').message, '7');
    // cat ends when its input does: the client says so by v5.channel.k8s.io.
    const input = new PassThrough();
    input.end('hello');
    assert.equal((await exec(['/bin/cat'], input)).out, 'hello');
  });

  test('logs are followed', async () => {
    const out = collector();
    const following = await new k8s.Log(config).log(namespace, name, 'c', out.stream, { follow: true });
    await eventually(() => out.text().startsWith('started\n'));
    const typed = new PassThrough();
    const socket = await new k8s.Attach(config).attach(namespace, name, 'c', null, null, typed, false);
    typed.write('typed\n');
    await eventually(() => out.text().includes('got typed\n'));
    socket.close();
    following.abort();
  });

  test('a port is forwarded', async () => {
    const out = collector(), err = collector();
    const input = new PassThrough();
    const socket = await new k8s.PortForward(config).portForward(namespace, name, [8080], out.stream, err.stream, input);
    input.write('GET / HTTP/1.0\r\n\r\n');
    await eventually(() => out.text().endsWith('served\n'));
    assert.equal(err.text(), '');
    socket.close();
  });
});
