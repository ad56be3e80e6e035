from __future__ import annotations

import av
import pytest
import torch


@pytest.fixture
def linear(run):
    (model,) = run("InbetweenLoadModel", model="linear")
    return model


def moving(first: int, last: int) -> torch.Tensor:
    """An evenly moving pattern, [T,36,64,3]."""
    place = torch.arange(first, last)[:, None] * 0.15 + torch.linspace(0, 9, 64)
    rgb = torch.stack([0.5 + 0.2 * (place + shift).sin() for shift in (0, 1, 2)], dim=-1)
    return rgb[:, None].expand(-1, 36, -1, -1).clone()


def test_shared_frames_are_left_out_and_colours_matched(run, linear):
    clips = {"clip 1": moving(0, 20), "clip 2": moving(17, 40) * 0.9 + 0.02, "clip 3": moving(40, 50)}
    images, count, originals, report = run("InbetweenJoinClips", model=linear, clips=clips)
    assert count == len(images) == 50
    torch.testing.assert_close(images[:40], moving(0, 40), atol=1e-3, rtol=0)
    assert originals.min() == 1
    assert report.startswith("seam 1: 3 shared frames left out")
    assert len(report.splitlines()) == 2


def test_a_list_in_one_socket_is_as_good_as_sockets(run, linear):
    """As a list of clips arrives from a node that makes one, and their rates beside it."""
    clips = [moving(0, 20), moving(17, 40), moving(40, 50)]
    apart, *_ = run("InbetweenJoinClips", model=linear, clips=dict(zip(("clip 1", "clip 2", "clip 3"), clips, strict=True)))
    together, *_ = run("InbetweenJoinClips", model=linear, clips={"clip 1": clips}, source_fps=[24.0] * 3)
    mixed, *_ = run("InbetweenJoinClips", model=linear, clips={"clip 1": clips[:2], "clip 2": clips[2]})
    assert torch.equal(together, apart)
    assert torch.equal(mixed, apart)


def test_one_clip_and_two_rates_get_a_sentence(run, linear, part):
    with pytest.raises(ValueError, match=r"^one clip was given: two or more are needed"):
        run("InbetweenJoinClips", model=linear, clips={"clip 1": moving(0, 4)})
    with pytest.raises(ValueError, match=r"^source fps is both 24\.0 and 25\.0 in the list: one value for all is needed"):
        run("InbetweenJoinClips", model=linear, clips={"clip 1": [moving(0, 4)] * 2}, source_fps=[24.0, 25.0])
    video = part("nodes.video").InputImpl.VideoFromComponents(moving(0, 4), 24)
    with pytest.raises(ValueError, match=r"^one video was given: two or more are needed"):
        run("InbetweenJoinVideos", model=linear, videos={"video 1": [video]})


def test_a_jump_is_bridged(run, linear):
    clips = {"clip 1": moving(0, 20), "clip 2": moving(24, 44)}
    _, _, originals, report = run("InbetweenJoinClips", model=linear, clips=clips, match_colours=False)
    assert originals[:, 0, 0].tolist() == [1.0] * 18 + [0.0] * 4 + [1.0] * 18
    assert "4 frames re-interpolated" in report
    same, *_ = run("InbetweenJoinClips", model=linear, clips=clips, match_colours=False, bridge_frames=0)
    assert torch.equal(same, torch.cat(list(clips.values())))


def test_videos_are_joined(run, linear, part):
    made_of = part("nodes.video").InputImpl.VideoFromComponents
    videos = {"video 1": made_of(moving(0, 12), 24), "video 2": made_of(moving(10, 24), 24)}
    video, count, report = run("InbetweenJoinVideos", model=linear, videos=videos)
    assert count == 24
    assert run("InbetweenJoinVideos", model=linear, videos={"video 1": list(videos.values())})[1:] == (count, report)
    assert "2 shared frames left out" in report
    frames = list(part("vfi.clips.open").open_clip(video.get_stream_source()))
    torch.testing.assert_close(frames[13].rgb.movedim(0, -1), moving(13, 14)[0], atol=0.08, rtol=0)


def test_sound_is_joined_and_looped_with_the_picture(run, linear, part):
    made_of = part("nodes.video").InputImpl.VideoFromComponents
    audio = {"waveform": torch.sin(torch.arange(24000) / 20).expand(1, 1, -1), "sample_rate": 48000}
    videos = {"video 1": made_of(moving(0, 12), 24, audio), "video 2": made_of(moving(12, 24), 24)}
    joined, _, report = run("InbetweenJoinVideos", model=linear, videos={**videos, "video 3": videos["video 1"]})
    assert report.endswith("clip 2 has no sound: it is silent there")
    looped, *_ = run(
        "InbetweenLoopVideo",
        model=linear,
        video=videos["video 1"],
        mode={"mode": "times", "times": 2},
        part={"part": "whole clip"},
    )
    for video, seconds in ((joined, 1.5), (looped, 0.5)):
        with av.open(video.get_stream_source()) as file:
            (track,) = file.streams.audio
            assert float(track.duration * track.time_base) == pytest.approx(seconds, abs=0.001)
