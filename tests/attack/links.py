"""Files that name other files and addresses, in every language that FFmpeg, Pillow or a browser might follow."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.support.media_fixtures import write_media

TARGET = "secret.ts"  # beside the file: a healthy film, so that there is an answer if it is read
FRAMES = "frame%03d.jpg"  # beside it as well


def links(target: Path, address: str, port: int) -> dict[str, bytes]:
    """Content by file name. ``target`` is the other film's path; ``address`` ends in ://127.0.0.1:port/film.ts."""
    texts: dict[str, str] = {}
    places = {
        "path": str(target),
        "name": target.name,
        "file": f"file:{target}",
        "file url": f"file://{target}",
        "http": f"http{address}",
        "https": f"https{address}",
        "rtmp": f"rtmp{address}",
        "rtsp": f"rtsp{address}",
        "tcp": f"tcp{address}",
        "udp": f"udp{address}",
        "ftp": f"ftp{address}",
        "srt": f"srt{address}",
        "concat": f"concat:{target}|{target}",
        "crypto": f"crypto:{target}",
        "cache": f"cache:{target}",
        "async": f"async:http{address}",
        "subfile": f"subfile,,start,0,end,0,,:{target}",
        "pipe": "pipe:0",
        "data": "data:video/mp2t;base64,AAAA",
    }
    for name, place in places.items():
        texts[f"hls {name}.mp4"] = texts[f"hls {name}.m3u8"] = _hls(f"#EXTINF:2.0,\n{place}")
        texts[f"concat {name}.mp4"] = f"ffconcat version 1.0\nfile '{place}'\n"
        texts[f"dash {name}.mp4"] = _dash(place)
    http = places["http"]
    texts |= {
        "hls key.m3u8": _hls(f'#EXT-X-KEY:METHOD=AES-128,URI="{http}"\n#EXTINF:2.0,\n{target}'),
        "hls map.m3u8": _hls(f'#EXT-X-MAP:URI="{target}"\n#EXTINF:2.0,\n{target}'),
        "hls master.m3u8": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{http}\n",
        "hls media.m3u8": f'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{http}"\n'
        f'#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n{target}\n',
        "plain.m3u": f"{target}\n{http}\n",
        "concat.txt": f"file '{target}'\nfile '{http}'\n",
        "concat options.ffconcat": f"ffconcat version 1.0\nfile '{target}'\noption protocol_whitelist file,http,tcp\n",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=audio {port} RTP/AVP 0\na=control:rtsp{address}\n",
        "list.smil": f'<smil><body><seq><video src="{http}"/><video src="{target}"/></seq></body></smil>',
        "list.pls": f"[playlist]\nNumberOfEntries=2\nFile1={target}\nFile2={http}\n",
        "list.asx": f'<asx version="3.0"><entry><ref href="{http}"/></entry></asx>',
        "list.xspf": f"<playlist><trackList><track><location>{http}</location></track></trackList></playlist>",
        "list.wpl": f'<?wpl version="1.0"?><smil><body><seq><media src="{target}"/></seq></body></smil>',
        "list.ram": f"{http}\n",
        "list.asf": f"[Reference]\nRef1={http}\n",
        "redirect.wmv": f"ASF 127.0.0.1\n{http}\n",
        "package.xml": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
        f"<Path>{target}</Path></CompositionPlaylist>",
        "manifest.ism": f'<SmoothStreamingMedia><StreamIndex Url="{http}"/></SmoothStreamingMedia>',
        "script.avs": f'DirectShowSource("{target}")\n',
        "script.vpy": f"open({str(target)!r}).read()\n",
        "graph.mp4": f"movie={target}\n",
        "vobsub.idx": "# VobSub index file, v7\ntimestamp: 00:00:00:000, filepos: 000000000\n",
        "chapters.ffmeta": f";FFMETADATA1\ntitle={target}\n",
        "sheet.cue": f'FILE "{target}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
        "noise.sbg": "-SE\n",
        FRAMES: "not a picture, but a pattern of names",
        "frame*.jpg": "likewise",
        "picture.svg": f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" width="9" '
        f'height="9"><image x:href="{http}" width="9" height="9"/><image x:href="file://{target}"/></svg>',
        "entity.svg": f'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY e SYSTEM "file://{target}">]><svg '
        'xmlns="http://www.w3.org/2000/svg"><text>&e;</text></svg>',
        "program.eps": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
        f"({target}) (r) file pop (%pipe%cat {target}) (r) file pop showpage\n",
        "program.pdf": f"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/URI/URI({http})>>>>endobj\n",
        "delegate.mvg": f"push graphic-context\nimage over 0,0 0,0 'http{address}'\npop graphic-context\n",
        "delegate.jpg": f"push graphic-context\nfill 'url(http{address}\"|cat {target}\")'\npop graphic-context\n",
        "page.html": f'<meta http-equiv="refresh" content="0;url={http}"><img src="{http}">',
    }
    content = {name: text.encode() for name, text in texts.items()}
    with_length = b"\xff\xfb\x90\x00" + content["hls path.mp4"]
    return content | {"behind a sync word.mp3": with_length}


def _hls(entries: str) -> str:
    return f"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n{entries}\n#EXT-X-ENDLIST\n"


def _dash(place: str) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation '
        f'id="1" bandwidth="1" width="64" height="48"><BaseURL>{place.replace("&", "&amp;")}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    )


def write_outside_mov(path: Path, target: Path) -> Path:
    """A mov whose track says that its samples lie in ``target``, by the alias record that QuickTime follows."""
    write_media(path, video="mpeg4")
    data = path.read_bytes()
    record = _alias(target)
    entry = struct.pack(">I", 12 + len(record)) + b"alis" + bytes(4) + record
    at = data.index(b"dref") - 4
    old = data[at : at + struct.unpack_from(">I", data, at)[0]]
    new = struct.pack(">I", 16 + len(entry)) + old[4:12] + struct.pack(">I", 1) + entry
    changed = bytearray(data[:at] + new + data[at + len(old) :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):  # the boxes around it grow with it
        start = changed.rindex(name, 0, at) - 4
        size = struct.unpack_from(">I", changed, start)[0] + len(new) - len(old)
        changed[start : start + 4] = struct.pack(">I", size)
    path.write_bytes(changed)
    return path


def _alias(target: Path) -> bytes:
    """A classic Mac alias: volume, name, levels, and the path in its tagged fields."""

    def pascal(text: str, size: int) -> bytes:
        return bytes([len(text)]) + text.encode().ljust(size, b"\0")

    tagged = b"".join(
        struct.pack(">HH", kind, len(text)) + text.encode() + b"\0" * (len(text) % 2)
        for kind, text in ((2, f"disk:{target.name}"), (0, target.parent.name))
    )
    head = bytes(10) + pascal("disk", 27) + bytes(12) + pascal(target.name, 63) + bytes(16)
    return head + struct.pack(">HH", 1, 1) + bytes(16) + tagged + struct.pack(">HH", 0xFFFF, 0)
