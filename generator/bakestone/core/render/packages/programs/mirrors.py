import glob, os, re
mirrors = [line.split() for line in open("/run/secrets/mirrors")]
os.mkdir("/tmp/repositories")
for path in glob.glob("/etc/yum.repos.d/*.repo"):
    with open(os.path.join("/tmp/repositories", os.path.basename(path)), "w") as out:
        for section in open(path).read().replace("\n[", "\n\0[").split("\0"):
            for old, new in mirrors:
                there = re.sub(r"(?m)^#?[ \t]*baseurl[ \t]*=[ \t]*" + re.escape(old), lambda _: "baseurl=" + new, section)
                if there != section:
                    there = re.sub(r"(?m)^(?=mirrorlist|metalink)", "#", there)
                section = re.sub(r"(=[ \t]*)" + re.escape(old), lambda found: found[1] + new, there)
            out.write(section)
