#!/usr/bin/env python3
"""fuse-share.py - a shared folder as Docker Desktop / a VM / a network drive shows it:
a FUSE passthrough mount on which edits made in BACKING raise no file event, with
attribute caching, latency, errors, coarse clocks and hangs that can be set live.
Speaks the FUSE protocol itself: Python standard library and /dev/fuse only; root.

  fuse-share.py up BACKING MOUNT [key=value ...]   mount; returns when it is ready
  fuse-share.py set MOUNT key=value ...            change settings of a live mount
  fuse-share.py ops MOUNT [--reset]                requests served so far, as JSON
  fuse-share.py kill MOUNT                         end the daemon, leave the dead mount
                                                   (every access gives ENOTCONN)
  fuse-share.py down MOUNT                         unmount and clean up (idempotent)
keys (default)
  attr_timeout (1), entry_timeout (1), negative_timeout (0)   seconds the kernel caches
  latency_ms (0), jitter_ms (0)    added to every request but forget/release
  error_pct (0), error_errno (EIO), error_ops (getattr,lookup,open,read,readdir,opendir),
  error_match (*)                  inject errors: share of requests, which, for which path
  fail_next (0)                    the next N matching requests fail, whatever error_pct is;
                                   forgotten at the next `set`
  hide ()                          paths matching this glob do not exist
  mtime_gran (0)                   round times down to so many seconds (1 = sshfs, 2 = FAT)
  mtime_skew (0)                   seconds added to every time (a clock ahead: 3600)
  ino (backing)                    backing | path (kept when a file is replaced, as sshfs and
                                   mergerfs do) | random (new at every look-up)
  keep_cache (0), direct_io (0)    keep_cache=1: open() may serve stale content until the
                                   kernel sees new mtime or size
  readdir_stale (0)                seconds a directory listing is served from memory
  hang (0)                         1: requests block (callers in D state) until 0 or `down`
  ro (0), threads (4), readdirplus (1), options ()    at `up` only; options = mount options
BACKING paths are relative to the mount root in globs ("src/*.py").  Presets:
  preset=docker-desktop  attr_timeout=1 entry_timeout=1 latency_ms=0.5
  preset=slow            attr_timeout=1 entry_timeout=1 latency_ms=3 jitter_ms=4
  preset=sshfs           attr_timeout=1 entry_timeout=1 mtime_gran=1 ino=path latency_ms=1
  preset=flaky           error_pct=5 error_errno=ESTALE
State: $LAB_STATE/fuse (default /var/tmp/stakeout-lab/fuse); tests have one each."""
import ctypes, errno, fnmatch, hashlib, json, os, random, signal, stat, struct, sys, threading, time

BASE = os.path.join(os.environ.get('LAB_STATE', '/var/tmp/stakeout-lab'), 'fuse')
DEF = dict(attr_timeout=1.0, entry_timeout=1.0, negative_timeout=0.0, latency_ms=0.0, jitter_ms=0.0,
           error_pct=0.0, error_errno='EIO', error_ops='getattr,lookup,open,read,readdir,opendir',
           error_match='*', fail_next=0, hide='', mtime_gran=0.0, mtime_skew=0.0, ino='backing',
           keep_cache=0, direct_io=0, readdir_stale=0.0, hang=0, ro=0, threads=4, readdirplus=1, options='')
PRESET = {'docker-desktop': dict(attr_timeout=1, entry_timeout=1, latency_ms=.5),
          'slow': dict(attr_timeout=1, entry_timeout=1, latency_ms=3, jitter_ms=4),
          'sshfs': dict(attr_timeout=1, entry_timeout=1, mtime_gran=1, ino='path', latency_ms=1),
          'flaky': dict(error_pct=5, error_errno='ESTALE')}
libc = ctypes.CDLL(None, use_errno=True)
NAMES = {1: 'lookup', 2: 'forget', 3: 'getattr', 4: 'setattr', 5: 'readlink', 6: 'symlink', 8: 'mknod', 9: 'mkdir',
         10: 'unlink', 11: 'rmdir', 12: 'rename', 13: 'link', 14: 'open', 15: 'read', 16: 'write', 17: 'statfs',
         18: 'release', 20: 'fsync', 25: 'flush', 26: 'init', 27: 'opendir', 28: 'readdir', 29: 'releasedir',
         30: 'fsyncdir', 35: 'create', 36: 'interrupt', 38: 'destroy', 42: 'batch_forget', 44: 'readdir',
         45: 'rename2', 52: 'statx'}

def die(m):
    sys.exit('fuse-share: ' + m)

def statedir(mnt):
    return os.path.join(BASE, hashlib.sha1(os.path.abspath(mnt).encode()).hexdigest()[:12])

def parse(args):
    out = {}
    for a in args:
        k, eq, v = a.partition('=')
        if k == 'preset':
            if v not in PRESET: die('no preset ' + v)
            out.update(PRESET[v]); continue
        if not eq or k not in DEF: die('what is %r?' % a)
        out[k] = type(DEF[k])(v)
        if k == 'error_errno' and not hasattr(errno, v): die('no errno ' + v)
    return out

class Fs:
    def __init__(self, backing, fd, sd, conf):
        self.b, self.fd, self.sd, self.c = backing, fd, sd, conf
        self.lock = threading.RLock()
        self.nodes = {1: (0, '')}; self.byname = {}; self.next = 2; self.sig = {}
        self.fhs = {}; self.nextfh = 1; self.dircache = {}
        self.ops = {}; self.ready = threading.Event(); self.ctlmt = 0; self.stop = False

    # settings, re-read when the control file changes
    def conf(self):
        try:
            m = os.stat(self.sd + '/ctl').st_mtime_ns
            if m != self.ctlmt:
                self.c = {**DEF, **json.load(open(self.sd + '/ctl'))}; self.ctlmt = m
        except (OSError, ValueError):
            pass
        return self.c

    def rel(self, nid):
        with self.lock:
            parts = []
            while nid != 1:
                nid, n = self.nodes[nid]; parts.append(n)
        return '/'.join(reversed(parts))

    def path(self, nid, name=None):
        r = self.rel(nid)
        if name is not None: r = r + '/' + name if r else name
        return (self.b + '/' + r if r else self.b), r

    def node(self, parent, name, st):
        key = (parent, name); sig = (st.st_dev, st.st_ino) if self.c['ino'] != 'path' else stat.S_IFMT(st.st_mode)
        with self.lock:
            nid = self.byname.get(key)
            if nid is None or self.sig.get(nid) != sig or self.c['ino'] == 'random':
                nid = self.next; self.next += 1
                self.byname[key] = nid; self.nodes[nid] = key; self.sig[nid] = sig
        return nid

    def tm(self, ns):
        ns += int(self.c['mtime_skew'] * 1e9); g = int(self.c['mtime_gran'] * 1e9)
        return ns - ns % g if g else ns

    def attr(self, nid, st):
        a, m, c = self.tm(st.st_atime_ns), self.tm(st.st_mtime_ns), self.tm(st.st_ctime_ns); G = 10 ** 9
        ino = {'backing': st.st_ino, 'path': nid, 'random': nid}[self.c['ino']]
        return struct.pack('<6Q10I', ino, st.st_size, st.st_blocks, a // G, m // G, c // G, a % G, m % G, c % G,
                           st.st_mode, st.st_nlink, st.st_uid, st.st_gid, st.st_rdev & 0xffffffff, 4096, 0)

    @staticmethod
    def dur(x):
        return int(x), int((x - int(x)) * 1e9)

    def entry(self, nid, st):
        (es, en), (as_, an) = self.dur(self.c['entry_timeout']), self.dur(self.c['attr_timeout'])
        return struct.pack('<QQQQII', nid, 0, es, as_, en, an) + self.attr(nid, st)

    def attrout(self, nid, st):
        s, n = self.dur(self.c['attr_timeout'])
        return struct.pack('<QII', s, n, 0) + self.attr(nid, st)

    def lookup(self, parent, name):
        p, r = self.path(parent, name)
        if self.c['hide'] and fnmatch.fnmatch(r, self.c['hide']): raise FileNotFoundError(errno.ENOENT, r)
        st = os.lstat(p); return self.entry(self.node(parent, name, st), st)

    def newfh(self, v):
        with self.lock:
            f = self.nextfh; self.nextfh += 1; self.fhs[f] = v
        return f

    def openout(self, fh):
        return struct.pack('<QIi', fh, (1 if self.c['direct_io'] else 0) | (2 if self.c['keep_cache'] else 0), 0)

    def listing(self, nid):
        p, r = self.path(nid); ttl = self.c['readdir_stale']
        if ttl and nid in self.dircache and time.monotonic() - self.dircache[nid][0] < ttl: return self.dircache[nid][1]
        with os.scandir(p) as it:
            ents = [(e.name, e.inode(), 4 if e.is_dir(follow_symlinks=False) else 10 if e.is_symlink() else 8) for e in it]
        h = self.c['hide']
        if h: ents = [e for e in ents if not fnmatch.fnmatch((r + '/' if r else '') + e[0], h)]
        self.dircache[nid] = (time.monotonic(), ents); return ents

    def inject(self, name, nid, body):
        c = self.c
        while c['hang'] and not self.stop:
            time.sleep(.02); c = self.conf()
        if c['latency_ms'] or c['jitter_ms']: time.sleep((c['latency_ms'] + random.random() * c['jitter_ms']) / 1000)
        if (c['fail_next'] or c['error_pct']) and name in c['error_ops'].split(','):
            if c['error_match'] != '*':
                r = self.path(nid, os.fsdecode(body.split(b'\0')[0]) if name == 'lookup' else None)[1]
                if not fnmatch.fnmatch(r, c['error_match']): return
            hit = False
            with self.lock:
                if c['fail_next'] > 0: c['fail_next'] -= 1; hit = True
            if hit or random.random() * 100 < c['error_pct']:
                raise OSError(getattr(errno, c['error_errno']), 'injected')

    def handle(self, op, nid, uid, gid, body):
        S = struct.unpack_from; dec = os.fsdecode; z = lambda b: dec(b.split(b'\0')[0])
        if op == 1: return self.lookup(nid, z(body))
        if op == 3:
            flags, _, fh = S('<IIQ', body)
            if flags & 1 and isinstance(self.fhs.get(fh), int):
                return self.attrout(nid, os.fstat(self.fhs[fh]))
            return self.attrout(nid, os.lstat(self.path(nid)[0]))
        if op == 4:
            (v, _, fh, size, _, at, mt, _, an, mn, _, mode, _, u, g, _) = S('<IIQQQQQQIIIIIIII', body)
            p = self.path(nid)[0]
            if v & 1: os.chmod(p, mode & 0o7777)
            if v & 6: os.chown(p, u if v & 2 else -1, g if v & 4 else -1, follow_symlinks=False)
            if v & 8: os.truncate(p, size)
            if v & 0x1b0:
                st = os.lstat(p); now = time.time_ns()
                a = now if v & 128 else at * 10 ** 9 + an if v & 16 else st.st_atime_ns
                m = now if v & 256 else mt * 10 ** 9 + mn if v & 32 else st.st_mtime_ns
                os.utime(p, ns=(a, m), follow_symlinks=False)
            return self.attrout(nid, os.lstat(p))
        if op == 5: return os.fsencode(os.readlink(self.path(nid)[0]))
        if op == 6:
            n, t = body.split(b'\0')[:2]; os.symlink(dec(t), self.path(nid, dec(n))[0]); return self.lookup(nid, dec(n))
        if op == 8:
            mode, rdev, um, _ = S('<4I', body); n = z(body[16:]); p = self.path(nid, n)[0]
            os.mknod(p, mode & ~um, rdev); os.chown(p, uid, gid); return self.lookup(nid, n)
        if op == 9:
            mode, um = S('<2I', body); n = z(body[8:]); p = self.path(nid, n)[0]
            os.mkdir(p, mode & ~um); os.chown(p, uid, gid); return self.lookup(nid, n)
        if op in (10, 11):
            n = z(body); (os.unlink if op == 10 else os.rmdir)(self.path(nid, n)[0])
            with self.lock: self.byname.pop((nid, n), None)
            return b''
        if op in (12, 45):
            newd = S('<Q', body)[0]; fl = S('<I', body, 8)[0] if op == 45 else 0; rest = body[16 if op == 45 else 8:]
            if fl & ~1: raise OSError(errno.EINVAL, '')
            o, n = [dec(x) for x in rest.split(b'\0')[:2]]
            src, dst = self.path(nid, o)[0], self.path(newd, n)[0]
            if fl & 1 and os.path.lexists(dst): raise OSError(errno.EEXIST, '')
            os.rename(src, dst)
            with self.lock:
                k = self.byname.pop((nid, o), None)
                if k: self.byname[(newd, n)] = k; self.nodes[k] = (newd, n)
            return b''
        if op == 13:
            old = S('<Q', body)[0]; n = z(body[8:]); os.link(self.path(old)[0], self.path(nid, n)[0]); return self.lookup(nid, n)
        if op == 14:
            fl = S('<I', body)[0]; p, r = self.path(nid)
            if self.c['hide'] and fnmatch.fnmatch(r, self.c['hide']): raise FileNotFoundError(errno.ENOENT, r)
            return self.openout(self.newfh(os.open(p, fl & ~(os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_APPEND))))
        if op == 15:
            fh, off, size = S('<QQI', body); return os.pread(self.fhs[fh], size, off)
        if op == 16:
            fh, off, size = S('<QQI', body); n = os.pwrite(self.fhs[fh], body[40:40 + size], off); return struct.pack('<II', n, 0)
        if op == 17:
            v = os.statvfs(self.b)
            return struct.pack('<5Q4I', v.f_blocks, v.f_bfree, v.f_bavail, v.f_files, v.f_ffree, v.f_bsize, 255, v.f_frsize, 0) + bytes(24)
        if op in (18, 29):
            v = self.fhs.pop(S('<Q', body)[0], None)
            if isinstance(v, int): os.close(v)
            return b''
        if op == 20: os.fsync(self.fhs[S('<Q', body)[0]]); return b''
        if op in (25, 30): return b''
        if op == 27: return struct.pack('<QIi', self.newfh([nid, None]), 0, 0)
        if op in (28, 44):
            fh, off, size = S('<QQI', body); h = self.fhs[fh]
            if h[1] is None or off == 0:
                h[1] = [('.', 1, 4), ('..', 1, 4)] + self.listing(nid)
            out = b''
            for i, (n, ino, t) in enumerate(h[1][off:], off + 1):
                nb = os.fsencode(n); d = struct.pack('<QQII', ino, i, len(nb), t) + nb; d += bytes(-len(d) % 8)
                if op == 44:
                    if len(out) + 128 + len(d) > size: break
                    e = bytes(128)
                    if n not in ('.', '..'):
                        try: e = self.lookup(nid, n)
                        except OSError: pass
                    d = e + d
                if len(out) + len(d) > size: break
                out += d
            return out
        if op == 35:
            fl, mode, um, _ = S('<4I', body); n = z(body[16:]); p = self.path(nid, n)[0]
            f = os.open(p, (fl & ~os.O_APPEND) | os.O_CREAT, mode & ~um)
            os.fchown(f, uid, gid); return self.lookup(nid, n) + self.openout(self.newfh(f))
        raise OSError(errno.ENOSYS, '')

    def loop(self):
        while True:
            try: buf = os.read(self.fd, 1 << 20)
            except OSError as e:
                if e.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN): continue
                self.stop = True; return
            ln, op, uniq, nid, uid, gid, pid = struct.unpack_from('<IIQQIII', buf); body = buf[40:ln]
            name = NAMES.get(op, str(op)); self.ops[name] = self.ops.get(name, 0) + 1
            if op in (2, 42, 36): continue
            if op == 26:
                major, minor, ra, fl = struct.unpack_from('<4I', body)
                want = fl & (1 | 8 | 32 | (1 << 12) | (1 << 18) | ((1 << 13) | (1 << 14) if self.c['readdirplus'] else 0))
                # async read, atomic O_TRUNC, big writes, auto inval data, parallel dirops, readdirplus(+auto)
                self.reply(uniq, struct.pack('<4IHHIIHHI', 7, 31, ra, want, 64, 48, 1 << 17, 1, 32, 0, 0) + bytes(28)); self.ready.set(); continue
            try:
                self.conf()
                if op not in (18, 29, 25): self.inject(name, nid, body)
                out, err = self.handle(op, nid, uid, gid, body), 0
            except OSError as e: out, err = b'', e.errno or errno.EIO
            except KeyError: out, err = b'', errno.ESTALE
            except Exception as e:
                print('op', op, repr(e), file=sys.stderr, flush=True); out, err = b'', errno.EIO
            if op == 1 and err == errno.ENOENT and self.c['negative_timeout']:
                s, n = self.dur(self.c['negative_timeout'])
                out, err = struct.pack('<QQQQII', 0, 0, s, 0, n, 0) + bytes(88), 0
            self.reply(uniq, out, err)

    def reply(self, uniq, out, err=0):
        try: os.write(self.fd, struct.pack('<IiQ', 16 + len(out), -err, uniq) + out)
        except OSError: pass

def up(backing, mnt, conf):
    backing, mnt = os.path.realpath(backing), os.path.abspath(mnt)
    if not os.path.isdir(backing): die('no directory ' + backing)
    sd = statedir(mnt); down(mnt); os.makedirs(sd); os.makedirs(mnt, exist_ok=True)
    json.dump(conf, open(sd + '/ctl', 'w')); r, w = os.pipe()
    if os.fork() == 0:
        os.setsid(); os.close(r)
        if os.fork(): os._exit(0)
        null = os.open('/dev/null', os.O_RDWR); log = os.open(sd + '/log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(null, 0); os.dup2(log, 1); os.dup2(log, 2); os.umask(0)
        c = {**DEF, **conf}; fd = os.open('/dev/fuse', os.O_RDWR | os.O_CLOEXEC)
        opt = 'fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions' % fd
        if c['options']: opt += ',' + c['options']
        if libc.mount(b'stakeout-lab', os.fsencode(mnt), b'fuse.labshare', 6 | (1 if c['ro'] else 0), opt.encode()):
            os.write(w, b'mount: ' + os.strerror(ctypes.get_errno()).encode()); os._exit(1)
        open(sd + '/pid', 'w').write(str(os.getpid())); open(sd + '/mnt', 'w').write(mnt)
        fs = Fs(backing, fd, sd, c); ths = [threading.Thread(target=fs.loop, daemon=True) for _ in range(max(1, c['threads']))]
        for t in ths: t.start()
        fs.ready.wait(10); os.write(w, b'ok'); os.close(w)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); last = None; base = {}
        while any(t.is_alive() for t in ths) and not fs.stop:
            time.sleep(.1)
            if os.path.exists(sd + '/reset'): base = dict(fs.ops); os.unlink(sd + '/reset')
            cur = json.dumps({k: v - base.get(k, 0) for k, v in fs.ops.items() if v != base.get(k, 0)})
            if cur != last and os.path.isdir(sd):
                open(sd + '/.ops', 'w').write(cur); os.rename(sd + '/.ops', sd + '/ops'); last = cur
        os._exit(0)
    os.close(w); m = os.read(r, 200).decode(); os.wait()
    if m != 'ok': die(m or 'daemon failed: ' + open(sd + '/log').read())

def daemon(sd):
    try: pid = int(open(sd + '/pid').read())
    except (OSError, ValueError): return None
    try: return pid if b'fuse-share' in open('/proc/%d/cmdline' % pid, 'rb').read() else None
    except OSError: return None

def down(mnt):
    mnt = os.path.abspath(mnt); sd = statedir(mnt); pid = daemon(sd)
    if pid: os.kill(pid, signal.SIGKILL)      # frees callers that hang in the mount
    for _ in range(500):                      # it writes into its state until it is gone
        if not daemon(sd): break
        time.sleep(.01)
    for _ in range(8):
        if not any(l.split()[1] == mnt.replace(' ', '\\040') and 'fuse.labshare' in l for l in open('/proc/self/mounts')): break
        libc.umount2(os.fsencode(mnt), 2)
    if os.path.isdir(sd):
        for f in os.listdir(sd): os.unlink(sd + '/' + f)
        os.rmdir(sd)

def main(a):
    if len(a) >= 3 and a[0] == 'up': return up(a[1], a[2], parse(a[3:]))
    if len(a) < 2 or a[0] not in ('set', 'ops', 'kill', 'down'): print(__doc__); return 2
    sd = statedir(a[1]); pid = daemon(sd)
    if a[0] == 'down': return down(a[1])
    if not pid: die('nothing mounted at ' + a[1])
    if a[0] == 'set':
        c = json.load(open(sd + '/ctl')); c.pop('fail_next', None); c.update(parse(a[2:]))
        json.dump(c, open(sd + '/.ctl', 'w')); os.rename(sd + '/.ctl', sd + '/ctl')
    if a[0] == 'ops':
        time.sleep(.25); print(open(sd + '/ops').read() if os.path.exists(sd + '/ops') else '{}')
        if '--reset' in a:
            open(sd + '/reset', 'w').close()
            while os.path.exists(sd + '/reset'): time.sleep(.02)
    if a[0] == 'kill': os.kill(pid, signal.SIGKILL)

if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
