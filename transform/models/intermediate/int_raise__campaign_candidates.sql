-- The campaigns that a gift or schedule may belong to: by id, else through its segment, else by name. Names are not unique,
-- so there may be several: those that were there at the time, where any was. Worked out once per distinct way of saying it,
-- not once per gift.
with lookups as (
    select
        organization,
        campaign_lookup_key,
        any_value(campaign_id) as campaign_id,
        any_value(segment_id) as segment_id,
        any_value({{ fold_text('segment_code') }}) as segment_code,
        any_value({{ fold_text('segment_name') }}) as segment_name,
        any_value({{ fold_text('segment') }}) as segment,
        any_value({{ fold_text('campaign_name') }}) as campaign_name
    from {{ ref('int_raise__giving_records') }}
    group by organization, campaign_lookup_key
),

-- a campaign in quarantine is there all the same; only its state is unknown
hidden_campaigns as (
    select
        quarantine.organization,
        quarantine.record_key as campaign_id
    from {{ ref('int_recon__open_quarantine') }} as quarantine
    anti join {{ ref('stg_raise__campaigns') }} as campaigns
        on
            quarantine.organization = campaigns.organization
            and quarantine.record_key = campaigns.campaign_id
    where quarantine.source = 'raise' and quarantine.resource = 'campaigns'
),

campaigns as (
    select
        organization,
        campaign_id,
        {{ clean_text('campaign_name') }} as campaign_name,
        {{ fold_text('campaign_name') }} as folded_name,
        coalesce(created_at, '-infinity') as there_from,
        coalesce(deleted_at, 'infinity') as there_until
    from {{ ref('stg_raise__campaigns') }}
    union all
    select
        organization,
        campaign_id,
        null as campaign_name,
        null as folded_name,
        cast('-infinity' as timestamptz) as there_from,
        cast('infinity' as timestamptz) as there_until
    from hidden_campaigns
    where campaign_id is not null
),

segments as (
    select
        segments.organization,
        segments.segment_id,
        {{ fold_text('segments.code') }} as folded_code,
        {{ fold_text('segments.segment_name') }} as folded_name,
        campaigns.campaign_id,
        campaigns.folded_name as folded_campaign_name
    from {{ ref('stg_raise__segments') }} as segments
    inner join campaigns
        on
            segments.organization = campaigns.organization
            and (
                segments.campaign_id = campaigns.campaign_id
                or (
                    segments.campaign_id is null
                    and {{ fold_text('segments.campaign_name') }} = campaigns.folded_name
                )
            )
),

-- how sure each way is; the surest that finds anything wins
found as (
    select
        lookups.organization,
        lookups.campaign_lookup_key,
        campaigns.campaign_id,
        1 as preference,
        'campaign_id' as found_by
    from lookups
    inner join campaigns
        on
            lookups.organization = campaigns.organization
            and lookups.campaign_id = campaigns.campaign_id
    union all
    select
        lookups.organization,
        lookups.campaign_lookup_key,
        segments.campaign_id,
        2 as preference,
        'segment' as found_by
    from lookups
    inner join segments
        on
            lookups.organization = segments.organization
            and lookups.segment_id = segments.segment_id
    union all
    -- the same code or name may stand in several campaigns: there the name of the campaign decides, where it is given
    select
        lookups.organization,
        lookups.campaign_lookup_key,
        segments.campaign_id,
        case
            when lookups.campaign_name = segments.folded_campaign_name then 3
            when lookups.segment_code = segments.folded_code then 4
            else 5
        end as preference,
        'segment' as found_by
    from lookups
    inner join segments
        on
            lookups.organization = segments.organization
            and (
                lookups.segment_code = segments.folded_code
                or lookups.segment_name = segments.folded_name
                or lookups.segment in (segments.folded_code, segments.folded_name)
            )
    union all
    select
        lookups.organization,
        lookups.campaign_lookup_key,
        campaigns.campaign_id,
        6 as preference,
        'campaign_name' as found_by
    from lookups
    inner join campaigns
        on
            lookups.organization = campaigns.organization
            and lookups.campaign_name = campaigns.folded_name
),

surest as (
    select distinct
        organization,
        campaign_lookup_key,
        campaign_id,
        found_by
    from found
    qualify
        preference = min(preference) over (partition by organization, campaign_lookup_key)
),

-- a campaign that is named and not found may be one that could not be read, or be told by a segment that could not
hidden_ways as (
    select
        organization,
        false as is_by_segment
    from hidden_campaigns
    union distinct
    select
        organization,
        true as is_by_segment
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'raise' and resource = 'segments'
),

unreadable as (
    select distinct
        lookups.organization,
        lookups.campaign_lookup_key
    from lookups
    inner join hidden_ways on lookups.organization = hidden_ways.organization
    anti join surest
        on
            lookups.organization = surest.organization
            and lookups.campaign_lookup_key = surest.campaign_lookup_key
    where
        coalesce(
            cast(lookups.segment_id as varchar), lookups.segment_code, lookups.segment_name, lookups.segment
        ) is not null
        or (
            not hidden_ways.is_by_segment
            and coalesce(cast(lookups.campaign_id as varchar), lookups.campaign_name) is not null
        )
),

candidates as (
    select
        surest.organization,
        surest.campaign_lookup_key,
        surest.campaign_id,
        campaigns.campaign_name,
        surest.found_by,
        campaigns.there_from,
        campaigns.there_until
    from surest
    inner join campaigns
        on
            surest.organization = campaigns.organization
            and surest.campaign_id = campaigns.campaign_id
),

changes as (
    select distinct
        organization,
        campaign_lookup_key,
        unnest([cast('-infinity' as timestamptz), there_from, there_until]) as changed_at
    from candidates
),

spans as (
    select
        organization,
        campaign_lookup_key,
        changed_at as valid_from,
        lead(changed_at, 1, 'infinity') over (
            partition by organization, campaign_lookup_key
            order by changed_at
        ) as valid_to
    from changes
    where changed_at < 'infinity'
),

-- a campaign that was not there took nothing, unless none of them was
candidates_by_time as (
    select
        candidates.*,
        spans.valid_from,
        spans.valid_to
    from spans
    inner join candidates
        on
            spans.organization = candidates.organization
            and spans.campaign_lookup_key = candidates.campaign_lookup_key
    qualify
        (spans.valid_from >= candidates.there_from and spans.valid_from < candidates.there_until)
        or not bool_or(spans.valid_from >= candidates.there_from and spans.valid_from < candidates.there_until) over (
            partition by candidates.organization, candidates.campaign_lookup_key, spans.valid_from
        )
)

select
    organization,
    campaign_lookup_key,
    campaign_id,
    campaign_name,
    found_by,
    nullif(valid_from, '-infinity') as valid_from,
    nullif(valid_to, 'infinity') as valid_to
from candidates_by_time
union all
select
    organization,
    campaign_lookup_key,
    null as campaign_id,
    null as campaign_name,
    'unreadable' as found_by,
    null as valid_from,
    null as valid_to
from unreadable
