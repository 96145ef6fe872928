import binascii, glob, json, os, re, shutil, sys
import dnf, libdnf


def clean(text):
    if not re.fullmatch("[!-~]+", text):
        raise dnf.exceptions.Error("a repository names the file %r" % text)
    return text


def spelled(repo):
    substitute = lambda text: libdnf.conf.ConfigParser.substitute(text, base.conf.substitutions)
    found = []
    for path in sorted(glob.glob("/etc/yum.repos.d/*.repo")):
        text = open(path, encoding="utf-8", errors="replace").read()
        for section in text.replace("\n[", "\n\0[").split("\0"):
            name = re.search(r"(?m)^\[([^]\n]+)\]", section)
            if name and substitute(name.group(1)) == repo.id:
                found += re.findall(
                    r"(?m)^#?[ \t]*baseurl[ \t]*=[ \t]*(https?://[^/$\s]+/\S*)", section
                )
    if not found:
        raise dnf.exceptions.Error(
            "repository %s: no baseurl in /etc/yum.repos.d, not even in a comment, begins with a host's name"
            % repo.id
        )
    return [clean(substitute(url)).rstrip("/") + "/" for url in found]


def fetched(repo):
    # every file of a repository's metadata, checked by dnf against its repomd.xml: path -> the addresses that it has
    folder = "/tmp/metadata/" + repo.id
    repo._repo.downloadMetadata(folder)
    inside = "/repodata/repomd.xml"
    if open(folder + inside, "rb").read() != open(repo._repo.getCachedir() + inside, "rb").read():
        raise dnf.exceptions.Error("repository %s changed in the middle; run it again" % repo.id)
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            below = clean(os.path.relpath(path, folder))
            if below not in ("metalink.xml", "mirrorlist"):
                found[path] = [url + below for url in spelled(repo)]
    for number, key in enumerate(repo.gpgkey):
        if key.startswith(("http://", "https://")):
            path = "/tmp/metadata/%s.key%d" % (repo.id, number)
            with base.urlopen(key, repo) as source, open(path, "wb") as out:
                shutil.copyfileobj(source, out)
            found[path] = [clean(key)]
    return found


def trusted(package):
    result, why = base.package_signature_check(package)
    if result == 1:
        base.package_import_key(package)
    elif result:
        raise dnf.exceptions.Error(why)


def closure(names):
    base.reset(goal=True)
    unknown = []
    for name in names:
        try:
            base.install(name)
        except dnf.exceptions.MarkingError:
            unknown.append("bakestone: no package " + name)
    if unknown:
        sys.exit("\n".join(unknown))
    base.resolve()
    packages = sorted(base.transaction.install_set) if base.transaction else []
    packages = [p for p in packages if not p.repo._repo.isLocal()]
    base.download_packages(packages)
    for p in packages:
        trusted(p)
    return packages


base = dnf.Base()
base.conf.read()
base.conf.substitutions.update_from_etc("/")
base.conf.releasever = base.conf.releasever or ""
base.conf.install_weak_deps = False
base.conf.skip_if_unavailable = False
base.conf.assumeyes = True
base.conf.deltarpm = False
base.conf.cachedir = base.conf.persistdir = "/tmp/dnf"
if os.path.exists("/run/secrets/ca"):
    base.conf.sslcacert = "/run/secrets/ca"
if os.path.isdir("/tmp/repositories"):
    base.conf.reposdir = ["/tmp/repositories"]
try:
    base.read_all_repos()
    for repo in base.repos.iter_enabled():
        if not repo._repo.isLocal():
            repo.pkgdir = "/var/cache/bakestone-archive/" + repo.id
    base.fill_sack()
    sets = json.loads(sys.argv[1])
    wanted = {number: closure(names) for number, names in sorted(sets.items())}
    metadata = {}
    for repo in base.repos.iter_enabled():
        if not repo._repo.isLocal():
            metadata.update(fetched(repo))
    for number, packages in wanted.items():
        with open("/out/%s/index" % number, "w") as index:
            for count, (path, urls) in enumerate(sorted(metadata.items())):
                for nth, url in enumerate(urls):
                    name = "%d-%d" % (count, nth)
                    shutil.copy(path, "/out/%s/lists/%s" % (number, name))
                    index.write("%s %s\n" % (name, url))
        with open("/out/%s/uris" % number, "w") as uris:
            for p in packages:
                if p.baseurl:
                    raise dnf.exceptions.Error(
                        "%s is at another address than its repository, %s" % (p, p.baseurl)
                    )
                name = binascii.hexlify(p.chksum[1]).decode()
                shutil.copy(p.localPkg(), "/out/debs/" + name)
                for url in spelled(p.repo):
                    uris.write("%s%s %s\n" % (url, clean(p.location), name))
except (dnf.exceptions.Error, RuntimeError, OSError) as problem:
    sys.exit("bakestone: dnf: " + " ".join(str(problem).split()))
